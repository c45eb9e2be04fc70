// The connection to GET /events, kept up by the client library, and what the page
// knows by it.

import { type BazaarClient, BazaarError } from "../../src/client/index.ts";
import { changed, type Floor, floorOf } from "./model.ts";

/** A front end says something every two seconds at least; silent for longer, it is lost. */
const SILENCE_MAX_MS = 5_000;
/** Before it is tried again with what isn't mended by trying, such as another program in its place. */
const REOPEN_MS = 1_000;

export type Watching =
  | { readonly link: "opening" | "live" | "lost"; readonly floor: Floor | null }
  /** The bazaar lets nobody look without a key, or not with this one, and says why. */
  | { readonly link: "locked"; readonly floor: null; readonly why: string };

export type LinkState = Watching["link"];

/** Calls back with each new picture, until the returned function is called or the bazaar is locked. */
export function watchFloor(
  bazaar: Pick<BazaarClient, "events">,
  onChange: (watching: Watching) => void,
): () => void {
  const over = new AbortController();
  const { signal } = over;
  void watch(bazaar, signal, (watching) => {
    if (!signal.aborted) onChange(watching);
  });
  return () => over.abort();
}

async function watch(
  bazaar: Pick<BazaarClient, "events">,
  signal: AbortSignal,
  tell: (watching: Watching) => void,
): Promise<void> {
  let floor: Floor | null = null;
  let after: string | undefined;
  tell({ link: "opening", floor });
  while (!signal.aborted) {
    try {
      const events = bazaar.events({
        ...(after !== undefined && { after }),
        signal,
        timeoutMs: SILENCE_MAX_MS,
        onInterrupted: () => tell({ link: "lost", floor }),
      });
      for await (const event of events) {
        after = event.id;
        if (event.kind === "state") floor = floorOf(event.data);
        else if (floor !== null) floor = changed(floor, event.data);
        if (floor !== null) tell({ link: "live", floor });
      }
    } catch (error) {
      if (!(error instanceof BazaarError)) throw error;
      const { kind, message } = error;
      if (kind === "unauthorized" || kind === "forbidden") {
        tell({ link: "locked", floor: null, why: message });
        return;
      }
      tell({ link: "lost", floor });
      await new Promise((resolve) => setTimeout(resolve, REOPEN_MS));
    }
  }
}
