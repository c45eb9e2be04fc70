// What is wrong with all of it, when something is: said once, in words, with
// what goes on meanwhile.

import { useEffect, useState } from "preact/hooks";
import type { LinkState } from "./feed.ts";
import { clock } from "./format.ts";
import { type Floor, healthOf } from "./model.ts";

/** A fail-over takes some tens of milliseconds: only what takes longer is worth a banner. */
const PATIENCE_MS = 600;

interface Trouble {
  readonly id: "lost" | "no-quorum" | "choosing";
  readonly title: string;
  readonly text: string;
}

interface BannerProps {
  readonly link: LinkState;
  readonly floor: Floor | null;
  readonly isInsecure: boolean;
}

export function Banner({ link, floor, isInsecure }: BannerProps) {
  const trouble = troubleOf(link, floor);
  const id = trouble?.id ?? null;
  const [shownId, setShownId] = useState<string | null>(null);
  useEffect(() => {
    if (id === null) {
      setShownId(null);
      return;
    }
    const timer = setTimeout(() => setShownId(id), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [id]);
  return (
    <>
      {isInsecure && (
        <aside class="banner-place is-fixed" aria-label="Security">
          <div class="banner insecure" data-testid="insecure">
            <strong>Not secure.</strong>{" "}
            <span class="banner-text">
              This bazaar was started with <code>--insecure</code>: what passes between it and other
              machines, a key too, can be read and changed on the way.
            </span>
          </div>
        </aside>
      )}
      <div role="status" class="banner-place">
        {trouble && shownId === trouble.id && (
          <div class={`banner ${trouble.id}`} data-testid="banner">
            <strong>{trouble.title}</strong> <span class="banner-text">{trouble.text}</span>
          </div>
        )}
      </div>
    </>
  );
}

function troubleOf(link: LinkState, floor: Floor | null): Trouble | null {
  if (link === "lost") {
    const since = floor ? ` What you see is from ${clock(floor.at)}.` : "";
    return {
      id: "lost",
      title: "Connection lost.",
      text: `This front end doesn't answer; trying again every second.${since}`,
    };
  }
  if (!floor) return null;
  const { replicas, quorum } = floor.cluster;
  const health = healthOf(floor.cluster);
  if (health === "no-quorum") {
    const up = replicas.filter(({ standing }) => standing !== "down" && standing !== "silent");
    return {
      id: "no-quorum",
      title: "No quorum.",
      text: `${up.length} of ${replicas.length} replicas ${up.length === 1 ? "answers" : "answer"}, and ${quorum} are needed. No answered order is lost. New trades wait for half a minute, then whether they were made can be asked when one more replica is back.`,
    };
  }
  if (health === "choosing") {
    return { id: "choosing", title: "Choosing a leader.", text: "Trades wait a moment." };
  }
  return null;
}
