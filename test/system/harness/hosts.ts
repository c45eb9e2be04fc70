// Hosts of their own for a test: network namespaces joined by a bridge, which
// can be told to pass nothing on between them. Packets are then lost without a
// word, as in a network that is cut, which nothing on loopback shows: there a
// closed port answers, and a proxy takes what it holds back.
//
// Takes Linux, root, and `ip` and `bridge` of iproute2. The addresses are the
// namespaces' own, and nobody else's.

import { spawnSync } from "node:child_process";

/** Of TEST-NET-2 (RFC 5737), so that no real network is hidden. */
const NETWORK = "198.51.100";
const OWN_ADDRESS = `${NETWORK}.254`;

/** Why hosts can't be made here; null if they can. */
export function noHosts(): string | null {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (process.getuid?.() !== 0) return "making network namespaces needs root";
  if (spawnSync("bridge", ["-V"]).error) return "iproute2 is missing";
  return null;
}

export class Hosts {
  readonly #names: readonly string[];
  readonly #bridge: string;
  readonly #ports: readonly string[];

  /** Makes `count` hosts, which this process reaches, too. Close them, also after a failure. */
  constructor(count: number) {
    // Names of interfaces have at most 15 letters.
    const id = `b${process.pid.toString(36)}`;
    this.#bridge = `${id}-0`;
    this.#names = Array.from({ length: count }, (_, index) => `bazaar-test-${id}-${index + 1}`);
    this.#ports = this.#names.map((_, index) => `${id}-${index + 1}`);
    try {
      this.#make();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #make(): void {
    run("ip", "link", "add", this.#bridge, "type", "bridge");
    run("ip", "address", "add", `${OWN_ADDRESS}/24`, "dev", this.#bridge);
    run("ip", "link", "set", this.#bridge, "up");
    for (const [index, name] of this.#names.entries()) {
      const port = this.#ports[index] ?? "";
      run("ip", "netns", "add", name);
      run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name);
      run("ip", "link", "set", port, "master", this.#bridge, "up");
      run("ip", "-n", name, "link", "set", "eth0", "address", macOf(index), "up");
      run("ip", "-n", name, "link", "set", "lo", "up");
      run("ip", "-n", name, "address", "add", `${this.address(index)}/24`, "dev", "eth0");
      // As behind routers: a cut doesn't make a host forget where the others are.
      for (const other of this.#names.keys()) {
        if (other === index) continue;
        const neighbour = [this.address(other), "lladdr", macOf(other), "nud", "permanent"];
        run("ip", "-n", name, "neighbour", "add", ...neighbour, "dev", "eth0");
      }
    }
  }

  address(host: number): string {
    return `${NETWORK}.${host + 1}`;
  }

  /** What runs a command on this host: the program, and its first arguments. */
  on(host: number): readonly [program: string, ...args: string[]] {
    return ["ip", "netns", "exec", this.#names[host] ?? ""];
  }

  /** From now on whatever one host sends to another is lost. This process reaches all of them. */
  cut(): void {
    for (const port of this.#ports) run("bridge", "link", "set", "dev", port, "isolated", "on");
  }

  /** This host alone reaches nobody any more, and nobody it. */
  unplug(host: number): void {
    run("ip", "link", "set", this.#ports[host] ?? "", "down");
  }

  plug(host: number): void {
    run("ip", "link", "set", this.#ports[host] ?? "", "up");
  }

  heal(): void {
    for (const port of this.#ports) run("bridge", "link", "set", "dev", port, "isolated", "off");
  }

  /** Removes all of it; the processes on the hosts must have ended. */
  close(): void {
    for (const name of this.#names) spawnSync("ip", ["netns", "delete", name]);
    spawnSync("ip", ["link", "delete", this.#bridge]);
  }
}

const macOf = (host: number): string => `02:00:00:00:00:0${host + 1}`;

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error ?? stderr}`);
}
