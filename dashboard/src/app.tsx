// The trading floor: the parts in their places, and what state all of it is in.

import { useEffect, useMemo, useState } from "preact/hooks";
import { Banner } from "./banner.tsx";
import { CachePanel } from "./cache.tsx";
import { Charts } from "./charts.tsx";
import { ClusterPanel } from "./cluster.tsx";
import { type Watching, watchFloor } from "./feed.ts";
import { Header } from "./header.tsx";
import { KeyForm, mayDo, visitWith } from "./key.tsx";
import { Market } from "./market.tsx";
import { onDisks } from "./model.ts";
import { usePlayground } from "./playground.ts";
import { SlowMotion } from "./slow-motion.tsx";
import { Tape } from "./tape.tsx";
import { Ticket } from "./ticket.tsx";

const SIGNED_OUT: Watching = { link: "locked", floor: null, why: "You are signed out" };

/** `isInsecure`: the bazaar was started with --insecure. */
export function App({ isInsecure }: { isInsecure: boolean }) {
  const [watching, setWatching] = useState<Watching>({ link: "opening", floor: null });
  /** An object for each time that one was given, the same one too; null: signed out. */
  const [given, setGiven] = useState<{ readonly key: string | null } | null>({ key: null });
  const [chosen, setChosen] = useState<string | null>(null);
  const [isSlow, setIsSlow] = useState(false);
  const visit = useMemo(() => visitWith(given?.key ?? null), [given]);
  const { bazaar } = visit;
  useEffect(() => {
    if (given !== null) return watchFloor(visit.bazaar, setWatching);
    setWatching(SIGNED_OUT);
  }, [visit, given]);
  const { link, floor } = watching;
  const playground = usePlayground(link === "live" && floor?.cluster.playground != null, visit);
  const isAsked = link === "locked" || (visit.key !== null && floor === null);
  const why = link === "locked" ? watching.why : "";
  const isOpen = floor !== null;
  // Who came in by the form stands where that was.
  useEffect(() => {
    if (isOpen && visit.key !== null) document.querySelector<HTMLElement>(".floor")?.focus();
  }, [isOpen, visit]);

  return (
    <div class={`page ${link === "lost" ? "is-stale" : ""}`}>
      {floor && (
        <nav class="skip" aria-label="Skip to a part of the page">
          <a href="#market">Market</a>
          <a href="#ticket">Trade</a>
          <a href="#cluster">Cluster</a>
        </nav>
      )}
      <Header link={link} floor={floor} visit={visit} onSignOut={() => setGiven(null)} />
      <Banner link={link} floor={floor} isInsecure={isInsecure} />
      {isAsked ? (
        <KeyForm
          title={
            visit.key === null && why !== "" ? firstSentence(why) : "This bazaar asks for a key"
          }
          problem={visit.key === null ? "" : why}
          isOpening={link !== "locked"}
          onKey={(key) => setGiven({ key })}
        />
      ) : floor === null ? (
        <main class="waiting" aria-busy={link === "opening"}>
          <p>{link === "lost" ? "This front end doesn't answer yet." : "Opening the bazaar …"}</p>
        </main>
      ) : (
        <main class={`floor ${isSlow ? "has-motion" : ""}`} tabIndex={-1}>
          <Market bazaar={bazaar} floor={floor} chosen={chosen} onChoose={setChosen} />
          <div class="desk">
            <Ticket
              bazaar={bazaar}
              mayTrade={mayDo(floor.key, "trade")}
              stocks={floor.stocks}
              areAllKnown={(floor.stocks?.size ?? 0) >= floor.stocksTotal}
              cluster={floor.cluster}
              chosen={chosen}
              onChoose={setChosen}
            />
            <Tape floor={floor} />
          </div>
          <ClusterPanel
            floor={floor}
            playground={playground}
            isSlow={isSlow}
            onSlow={() => setIsSlow(true)}
          />
          {isSlow && (
            <SlowMotion
              visit={visit}
              floor={floor}
              playground={playground}
              onClose={() => {
                setIsSlow(false);
                document.getElementById("cluster")?.focus();
              }}
            />
          )}
          <Charts floor={floor} />
          <CachePanel cache={floor.cache} now={floor.at} />
        </main>
      )}
      <footer class="foot">
        <p>
          {floor && `Every order here is ${onDisks(floor.cluster)} before it is answered. `}
          Nothing on this page comes from another host.
        </p>
        <p>
          <a href="/docs">API</a>
        </p>
      </footer>
    </div>
  );
}

/** The rest is for programs. */
function firstSentence(text: string): string {
  return text.split(". ")[0] ?? text;
}
