// Whether a connection comes from this machine.

/** True for an address of the loopback interface, IPv4 (also as IPv6 writes it) or IPv6; false for none. */
export function isLoopback(address: string | undefined): boolean {
  const plain = address?.replace(/^::ffff:/, "") ?? "";
  return plain === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}
