// The connection to GET /events, kept up: the browser's own EventSource, which
// resumes by itself, and a watch over it, for what it doesn't notice.

import type { ChangeMessage, StateMessage } from "../../src/client/event-messages.ts";
import { changed, type Floor, floorOf } from "./model.ts";

/** A front end says something every two seconds at least; silent for longer, it is lost. */
const SILENCE_MAX_MS = 5_000;
const LOOK_MS = 500;
/** Before a closed connection is opened anew. */
const REOPEN_MS = 1_000;

export type LinkState = "opening" | "live" | "lost";

export interface Watching {
  readonly link: LinkState;
  readonly floor: Floor | null;
}

/** Calls back with each new picture, until the returned function is called. */
export function watchFloor(onChange: (watching: Watching) => void): () => void {
  let floor: Floor | null = null;
  let link: LinkState = "opening";
  let heardAt = performance.now();
  let source: EventSource | null = null;
  let reopening: ReturnType<typeof setTimeout> | null = null;

  const tell = (state: LinkState) => {
    link = state;
    onChange({ link, floor });
  };
  const heard = (next: Floor) => {
    heardAt = performance.now();
    floor = next;
    tell("live");
  };
  const open = () => {
    reopening = null;
    source?.close();
    heardAt = performance.now();
    source = new EventSource("/events");
    source.addEventListener("state", (event) => heard(floorOf(dataOf<StateMessage>(event))));
    source.addEventListener("change", (event) => {
      if (floor) heard(changed(floor, dataOf<ChangeMessage>(event)));
    });
    source.addEventListener("error", () => {
      tell("lost");
      // Refused for good as far as EventSource is concerned; not for us.
      if (source?.readyState === EventSource.CLOSED) reopening ??= setTimeout(open, REOPEN_MS);
    });
  };
  open();
  const watch = setInterval(() => {
    if (performance.now() - heardAt < SILENCE_MAX_MS) return;
    tell("lost");
    open();
  }, LOOK_MS);
  return () => {
    clearInterval(watch);
    if (reopening !== null) clearTimeout(reopening);
    source?.close();
  };
}

function dataOf<T>(event: Event): T {
  return JSON.parse((event as MessageEvent<string>).data);
}
