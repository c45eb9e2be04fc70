// The sign over the door: the name, whether it is open, and the numbers that
// say so.

import type { LinkState } from "./feed.ts";
import { duration, exact, perSecond } from "./format.ts";
import { type Floor, healthOf, pace } from "./model.ts";

const HEALTH = {
  open: ["Open", "good"],
  choosing: ["Choosing a leader", "warn"],
  "no-quorum": ["No quorum", "bad"],
} as const;

/** Over so many of the last seconds the latency is shown. */
const LATENCY_S = 5;

export function Header({ link, floor }: { link: LinkState; floor: Floor | null }) {
  const [word, tone] =
    link === "lost"
      ? (["Connection lost", "bad"] as const)
      : floor === null
        ? (["Connecting", "warn"] as const)
        : HEALTH[healthOf(floor.cluster)];
  const recent = floor?.rates.slice(-LATENCY_S).findLast(({ p50 }) => p50 !== null);
  const lastOrder = floor?.lastOrder ?? null;
  return (
    <header class="sign">
      <div class="awning" aria-hidden="true" />
      <div class="sign-row">
        <h1>
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path class="icon-cloth" d="M4 6h24v8a4 4 0 0 1-8 0 4 4 0 0 1-8 0 4 4 0 0 1-8 0z" />
            <path class="icon-gold" d="M12 6h8v8a4 4 0 0 1-8 0z" />
            <path class="icon-line" d="M7 20h18v8H7z" />
          </svg>
          Stock Bazaar
        </h1>
        <p class={`pill ${tone}`} data-testid="health">
          <span class="dot" aria-hidden="true" />
          {word}
        </p>
        <dl class="figures">
          <Figure name="Orders" value={lastOrder === null ? "–" : exact(lastOrder)} />
          <Figure
            name="Orders/s"
            value={floor && lastOrder !== null ? perSecond(pace(floor)) : "–"}
          />
          <Figure name="Trade p50" value={duration(recent?.p50 ?? null)} />
          <Figure name="Trade p99" value={duration(recent?.p99 ?? null)} />
          <Figure name="Leader" value={String(floor?.cluster.leader ?? "none")} />
          <Figure name="Epoch" value={floor ? String(floor.cluster.epoch) : "–"} />
        </dl>
      </div>
    </header>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
