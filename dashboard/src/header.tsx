// The sign over the door: the name, whether it is open, and the numbers that
// say so.

import type { ComponentChildren } from "preact";
import type { LinkState } from "./feed.ts";
import { duration, exact, perSecond } from "./format.ts";
import { KeyInUse, mayDo, type Visit } from "./key.tsx";
import { type Floor, healthOf, pace } from "./model.ts";
import { Meaning } from "./term.tsx";
import { Verify } from "./verify.tsx";

const HEALTH = {
  open: ["Open", "good"],
  "no-spare": ["Open, no spare: one more failure stops trading", "warn"],
  choosing: ["Choosing a leader", "warn"],
  "no-quorum": ["No quorum", "bad"],
} as const;

/** Over so many of the last seconds the latency is shown. */
const LATENCY_S = 5;

interface HeaderProps {
  readonly link: LinkState;
  readonly floor: Floor | null;
  readonly visit: Visit;
  readonly onSignOut: () => void;
}

export function Header({ link, floor, visit, onSignOut }: HeaderProps) {
  const [word, tone] =
    link === "lost"
      ? (["Connection lost", "bad"] as const)
      : link === "locked"
        ? (["Closed without a key", "warn"] as const)
        : floor === null
          ? (["Connecting", "warn"] as const)
          : HEALTH[healthOf(floor.cluster)];
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
        {floor && mayDo(floor.key, "manage") && <Verify visit={visit} />}
        {floor?.key && <KeyInUse of={floor.key} onSignOut={onSignOut} />}
        {link !== "locked" && (
          <dl class="figures">
            <Figure name="Orders" value={lastOrder === null ? "–" : exact(lastOrder)} />
            <Figure
              name="Orders/s"
              value={floor && lastOrder !== null ? perSecond(pace(floor)) : "–"}
            />
            <Figure name={<Meaning of="p50">Trade p50</Meaning>} value={recent(floor, "p50")} />
            <Figure name={<Meaning of="p99">Trade p99</Meaning>} value={recent(floor, "p99")} />
            <Figure name="Leader" value={String(floor?.cluster.leader ?? "none")} />
            <Figure
              name={<Meaning of="epoch">Epoch</Meaning>}
              value={floor ? String(floor.cluster.epoch) : "–"}
            />
          </dl>
        )}
      </div>
    </header>
  );
}

/** Of the newest of the last seconds that has one. */
function recent(floor: Floor | null, field: "p50" | "p99"): string {
  const point = floor?.rates.slice(-LATENCY_S).findLast((each) => each[field] !== null);
  return duration(point?.[field] ?? null);
}

function Figure({ name, value }: { name: ComponentChildren; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
