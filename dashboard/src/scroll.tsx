// A region that scrolls by itself, and so must be reachable by keyboard: without
// a stop of its own, nobody without a mouse could scroll it (WCAG 2.1.1).

import type { ComponentChildren } from "preact";

const REACHABLE = { tabIndex: 0 } as const;

interface ScrollProps {
  readonly label: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}

export function Scroll({ label, children, class: more = "" }: ScrollProps) {
  return (
    <section class={`scroll ${more}`} aria-label={label} {...REACHABLE}>
      {children}
    </section>
  );
}
