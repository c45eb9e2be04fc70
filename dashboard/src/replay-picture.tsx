// The processes of a recording as boxes with strips of their journals, and the
// messages that are on their way on the lines between them.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { pathBetween } from "./cluster-links.tsx";
import { count, roleName } from "./format.ts";
import { flying, type Message, type Standing } from "./replay-model.ts";
import { Meaning } from "./term.tsx";

/** Entries on a strip. */
const STRIP_ENTRIES = 8;
/** Colours of epochs, which take turns. */
const EPOCH_COLOURS = 6;

/** Whether the reader wants nothing to move. */
export function isStill(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

interface PictureProps {
  readonly roles: readonly string[];
  readonly standings: ReadonlyMap<string, Standing>;
  readonly messages: readonly Message[];
  readonly at: number;
}

export function ReplayPicture({ roles, standings, messages, at }: PictureProps) {
  const place = useRef<HTMLDivElement>(null);
  const leader = leaderOf(standings);
  const to = Math.max(
    0,
    ...[...standings.values()].map(({ last, entries }) => Math.max(last ?? 0, ...entries.keys())),
  );
  const replicas = roles.filter((role) => role.startsWith("order-"));
  const others = roles.filter((role) => !role.startsWith("order-"));
  return (
    <div class="picture replay-picture" ref={place}>
      <Flights place={place} messages={messages} at={at} />
      <ul class="tier" aria-label="Front ends and catalogs">
        {others.map((role) => (
          <li key={role} class="node" data-replayed={role}>
            <span class="node-title">{roleName(role)}</span>
            <ViewWords role={role} standing={standings.get(role)} />
          </li>
        ))}
      </ul>
      <ul class="tier replicas" aria-label="Order replicas">
        {replicas.map((role) => (
          <li key={role} class={`node ${role === leader ? "leads" : ""}`} data-replayed={role}>
            <span class="node-title">{roleName(role)}</span>
            <Strip standing={standings.get(role)} to={to} />
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Who leads the highest epoch that somebody was heard to lead. */
function leaderOf(standings: ReadonlyMap<string, Standing>): string | null {
  let leader: string | null = null;
  let highest = -1;
  for (const [role, { leads }] of standings) {
    if (leads === null || leads < highest) continue;
    leader = role;
    highest = leads;
  }
  return leader;
}

/** The last entries of a journal: each in its epoch's colour, with what is committed and exposed. */
export function Strip({ standing, to }: { standing: Standing | undefined; to: number }) {
  if (!standing) return null;
  const { entries, arriving, last, commit, exposed } = standing;
  const from = Math.max(1, to - STRIP_ENTRIES + 1);
  const positions = Array.from({ length: STRIP_ENTRIES }, (_, index) => from + index);
  return (
    <>
      <ol class="strip" aria-hidden="true">
        {positions.map((position) => {
          const epoch = entries.get(position);
          const isThere = epoch !== undefined || position <= (last ?? 0);
          const classes = [
            "cell",
            !isThere && "none",
            epoch === undefined ? "old" : `epoch-${epoch % EPOCH_COLOURS}`,
            arriving.has(position) && "arriving",
            position <= (commit ?? -1) && isThere && "committed",
            position <= (exposed ?? -1) && isThere && "exposed",
          ];
          return (
            <li key={position} class={classes.filter(Boolean).join(" ")}>
              {isThere ? position % 1_000 : ""}
            </li>
          );
        })}
      </ol>
      <span class="node-detail">
        {last === null ? "not heard yet" : `has ${count(last)}`}
        {commit !== null && `, committed ${count(commit)}`}
        {exposed !== null && `, exposed ${count(exposed)}`}
        {arriving.size > 0 && `; ${arriving.size} to be written`}
      </span>
    </>
  );
}

function ViewWords({ role, standing }: { role: string; standing: Standing | undefined }) {
  if (!standing) return null;
  const { exposed, held, dropped } = standing;
  const isCatalog = role.startsWith("catalog");
  return (
    <span class="node-detail">
      {exposed !== null && `shows ${count(exposed)}`}
      {isCatalog && held !== null && `, holds ${count(held)}`}
      {!isCatalog && (dropped.length === 0 ? "" : `dropped ${dropped.slice(0, 2).join(", ")}`)}
    </span>
  );
}

export function StripKeys() {
  return (
    <ul class="line-keys strip-keys">
      <li>
        <span class="cell epoch-1">7</span> an entry, coloured by its{" "}
        <Meaning of="epoch">epoch</Meaning>
      </li>
      <li>
        <span class="cell epoch-1 arriving">7</span> not yet known to be on disk
      </li>
      <li>
        <span class="cell epoch-1 committed">7</span> <Meaning of="committed" />
      </li>
      <li>
        <span class="cell epoch-1 committed exposed">7</span> <Meaning of="exposed" />
      </li>
    </ul>
  );
}

interface FlightsProps {
  readonly place: { readonly current: HTMLElement | null };
  readonly messages: readonly Message[];
  readonly at: number;
}

/** Messages on their way, each on the line between two boxes. */
function Flights({ place, messages, at }: FlightsProps) {
  const [frame, setFrame] = useState({ width: 0, height: 0 });
  const lines = useRef(new Map<string, SVGPathElement>());
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    const measure = () => {
      lines.current.clear();
      const { width, height } = element.getBoundingClientRect();
      setFrame({ width, height });
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const lineOf = (from: string, to: string): SVGPathElement | null => {
    const key = `${from} ${to}`;
    const known = lines.current.get(key);
    if (known) return known;
    const element = place.current;
    const box = (role: string) =>
      element?.querySelector(`[data-replayed="${role}"]`)?.getBoundingClientRect();
    const [a, b] = [box(from), box(to)];
    if (!element || !a || !b) return null;
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", pathBetween(a, b, element.getBoundingClientRect()));
    lines.current.set(key, path);
    return path;
  };
  return (
    <svg class="links flights" viewBox={`0 0 ${frame.width} ${frame.height}`} aria-hidden="true">
      {flying(messages, at).map(({ message, part, isLost }) => {
        const path = lineOf(message.from, message.to);
        if (path === null) return null;
        const length = path.getTotalLength();
        // Paths go from the upper box to the lower one, whoever sends.
        const start = path.getPointAtLength(0);
        const isDown = isNear(start, place.current, message.from);
        const way = isStill() ? 0.5 : part;
        const { x, y } = path.getPointAtLength((isDown ? way : 1 - way) * length);
        const { what, first, orders } = message.said;
        return (
          <g
            key={`${message.from} ${message.to} ${message.sentAt} ${what}`}
            class={`flight ${what} ${isLost ? "lost" : ""}`}
          >
            <path d={path.getAttribute("d") ?? ""} />
            <circle cx={x} cy={y} r={7} />
            <text x={x + 10} y={y + 4}>
              {[what, first ?? orders?.[0]].filter((word) => word !== undefined).join(" ")}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

/** Whether a line that begins at `start` begins at this process's box. */
function isNear(start: { x: number; y: number }, frame: HTMLElement | null, role: string): boolean {
  const box = frame?.querySelector(`[data-replayed="${role}"]`)?.getBoundingClientRect();
  if (!box || !frame) return true;
  const { left, top } = frame.getBoundingClientRect();
  const x = start.x + left;
  const y = start.y + top;
  return x >= box.left - 1 && x <= box.right + 1 && y >= box.top - 1 && y <= box.bottom + 1;
}
