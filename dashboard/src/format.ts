// Numbers and times as people read them, in one locale: the page is in English.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const two = new Intl.NumberFormat("en", { maximumFractionDigits: 2, minimumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** Above this, digits are no longer read one by one. */
const COMPACT_FROM = 1_000_000;

export function count(value: number): string {
  return value >= COMPACT_FROM ? compact.format(value) : whole.format(value);
}

/** Every digit: for numbers that name something. */
export function exact(value: number): string {
  return whole.format(value);
}

export function price(value: number): string {
  return value >= COMPACT_FROM ? compact.format(value) : two.format(value);
}

export function perSecond(value: number): string {
  return value > 0 && value < 10 ? one.format(value) : count(value);
}

/** Milliseconds, with their unit. */
export function duration(ms: number | null): string {
  if (ms === null) return "–";
  if (ms >= 1_000) return `${one.format(ms / 1_000)} s`;
  return ms < 10 ? `${one.format(ms)} ms` : `${whole.format(ms)} ms`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0.995 && share < 1 ? 1 : 0)} %`;
}

/** Hours, minutes and seconds where the reader is. */
export function clock(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

/** A role as people call it: `order-9094` is "replica 9094". */
export function roleName(role: string): string {
  if (role.startsWith("order-")) return `Replica ${role.slice(6)}`;
  if (role.startsWith("catalog")) return `Catalog${role.slice(7).replace("-", " ")}`;
  return `Front end${role.slice(8).replace("-", " ")}`;
}
