// A word of the cluster, and what it means, for whoever asks: a button that opens
// a note beside it, which goes by itself. By keyboard and by touch as by mouse.

import { useId } from "preact/hooks";

/** What is said of each word. */
const MEANINGS = {
  asked: "This front end asks this catalog for stocks, and has its lease from it.",
  level: "It has every entry of the leader's journal.",
  leased:
    "Under a lease, half a second long and renewed, it may answer from its own copies: each trade waits until whoever has a lease has dropped what the trade changes.",
  "no lease":
    "It may not answer from its own copies now, and asks. It gets a lease when somebody reads through it.",
  entry:
    "The journal is the list of all changes that the replicas agree on; this is the number of the newest entry in it. An entry may hold many trades.",
  epoch:
    "Counts the leaders: each new one begins an epoch, and whatever a leader of an earlier epoch still sends is refused.",
  leads: "It decides the trades and writes them to the journals of the replicas.",
  follows: "It writes to its journal what the leader sends, and can lead when that is lost.",
  committed: "A majority of the replicas has it on disk: it is never lost.",
  exposed:
    "Every view that may be asked has let go of what it changes, so it may be shown, and its client answered.",
  waits: "It answers, and neither leads nor has heard of a leader.",
  p50: "Half of the trades of the last seconds were answered within this time.",
  p99: "99 of 100 trades were answered within this time. Told where a second had a hundred trades.",
} as const;

export type Term = keyof typeof MEANINGS;

interface MeaningProps {
  readonly of: Term;
  /** The words that are shown; the term itself if left out. */
  readonly children?: string;
}

export function Meaning({ of: term, children }: MeaningProps) {
  const id = useId();
  return (
    <>
      <button type="button" class="term" popovertarget={id}>
        {children ?? term}
      </button>
      <span popover id={id} class="meaning" role="note">
        {MEANINGS[term]}
      </span>
    </>
  );
}
