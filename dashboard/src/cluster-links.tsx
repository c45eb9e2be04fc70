// The lines of the cluster's picture, between where the boxes are on the screen.

import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import type { ClusterPart } from "./model.ts";

export interface Link {
  readonly id: string;
  readonly kind: "asks" | "replicates" | "feeds" | "lease" | "cut";
  readonly path: string;
}

export interface Drawn {
  readonly width: number;
  readonly height: number;
  readonly links: readonly Link[];
}

interface Wanted {
  readonly kind: Link["kind"];
  readonly from: string;
  readonly to: string;
}

/** The lines for this cluster, drawn anew when it or its place on the screen changes. */
export function useLinks(place: RefObject<HTMLElement | null>, cluster: ClusterPart): Drawn {
  const [drawn, setDrawn] = useState<Drawn>({ width: 0, height: 0, links: [] });
  const wanted = wantedLinks(cluster);
  const key = JSON.stringify(wanted);
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    const draw = () => setDrawn(drawnIn(element, wanted));
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(element);
    return () => observer.disconnect();
  }, [key]);
  return drawn;
}

export function Links({ links: { width, height, links } }: { links: Drawn }) {
  return (
    <svg class="links" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {links.map(({ id, kind, path }) => (
        <path key={id} class={kind} d={path} />
      ))}
    </svg>
  );
}

const KEYS = [
  ["asks", "asks the leader"],
  ["replicates", "replicates"],
  ["feeds", "updates"],
  ["lease", "lease"],
] as const;

export function LinkKeys() {
  return (
    <ul class="line-keys" aria-hidden="true">
      {KEYS.map(([kind, text]) => (
        <li key={kind}>
          <svg class="links" viewBox="0 0 26 6" aria-hidden="true">
            <path class={kind} d="M0 3H26" />
          </svg>
          {text}
        </li>
      ))}
    </ul>
  );
}

/** Who has to do with whom, of those that are there. */
function wantedLinks({ leader, replicas, catalogs, frontends, playground }: ClusterPart): Wanted[] {
  const leading = replicas.find(({ id, standing }) => id === leader && standing === "leads")?.role;
  const isUp = ({ standing }: { standing: string }) => standing === "up";
  const cut = playground?.cut ?? [];
  const isCut = ({ from, to }: Wanted) =>
    cut.some((between) => between.includes(from) && between.includes(to));
  const links = [
    ...(leading === undefined
      ? []
      : [
          ...frontends.filter(isUp).map(({ role }) => link("asks", role, leading)),
          ...catalogs.filter(isUp).map(({ role }) => link("feeds", leading, role)),
          ...replicas
            .filter(({ standing }) => standing === "follows")
            .map(({ role }) => link("replicates", leading, role)),
        ]),
    ...frontends.flatMap(({ role, standing, leasedBy }) =>
      standing === "up" && leasedBy !== null ? [link("lease", leasedBy, role)] : [],
    ),
  ];
  return [
    ...links.filter((each) => !isCut(each)),
    ...cut.map(([one, other]) => link("cut", one, other)),
  ];
}

function link(kind: Link["kind"], from: string, to: string): Wanted {
  return { kind, from, to };
}

function drawnIn(element: HTMLElement, wanted: readonly Wanted[]): Drawn {
  const frame = element.getBoundingClientRect();
  const boxes = new Map(
    [...element.querySelectorAll<HTMLElement>("[data-role]")].map((box) => [
      box.dataset.role ?? "",
      box.getBoundingClientRect(),
    ]),
  );
  const links = wanted.flatMap(({ kind, from, to }) => {
    const a = boxes.get(from);
    const b = boxes.get(to);
    if (!a || !b) return [];
    return [{ id: `${kind} ${from} ${to}`, kind, path: pathBetween(a, b, frame) }];
  });
  return { width: frame.width, height: frame.height, links };
}

/** From box to box: sideways along their lower edges when level, else from edge to edge. */
export function pathBetween(a: DOMRect, b: DOMRect, frame: DOMRect): string {
  const x = (box: DOMRect) => box.left + box.width / 2 - frame.left;
  const [ax, bx] = [x(a), x(b)];
  if (Math.abs(a.top - b.top) < a.height / 2) {
    const y = a.bottom - frame.top;
    const dip = Math.min(26, 12 + Math.abs(bx - ax) / 20);
    return `M${ax} ${y} C${ax} ${y + dip} ${bx} ${y + dip} ${bx} ${y}`;
  }
  const [upper, lower] = a.top < b.top ? [a, b] : [b, a];
  const y1 = upper.bottom - frame.top;
  const y2 = lower.top - frame.top;
  const middle = (y1 + y2) / 2;
  return `M${x(upper)} ${y1} C${x(upper)} ${middle} ${x(lower)} ${middle} ${x(lower)} ${y2}`;
}
