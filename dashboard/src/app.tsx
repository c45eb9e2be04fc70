// The trading floor: the parts in their places, and what state all of it is in.

import { useEffect, useMemo, useState } from "preact/hooks";
import { BazaarClient } from "../../src/client/index.ts";
import { Banner } from "./banner.tsx";
import { CachePanel } from "./cache.tsx";
import { Charts } from "./charts.tsx";
import { ClusterPanel } from "./cluster.tsx";
import { type Watching, watchFloor } from "./feed.ts";
import { Header } from "./header.tsx";
import { Market } from "./market.tsx";
import { onDisks } from "./model.ts";
import { usePlayground } from "./playground.ts";
import { SlowMotion } from "./slow-motion.tsx";
import { Tape } from "./tape.tsx";
import { Ticket } from "./ticket.tsx";

export function App() {
  const [watching, setWatching] = useState<Watching>({ link: "opening", floor: null });
  const [chosen, setChosen] = useState<string | null>(null);
  const [isSlow, setIsSlow] = useState(false);
  const bazaar = useMemo(() => new BazaarClient({ url: location.origin }), []);
  useEffect(() => watchFloor(setWatching), []);
  const { link, floor } = watching;
  const playground = usePlayground(link === "live" && floor?.cluster.playground != null);

  return (
    <div class={`page ${link === "lost" ? "is-stale" : ""}`}>
      {floor && (
        <nav class="skip" aria-label="Skip to a part of the page">
          <a href="#market">Market</a>
          <a href="#ticket">Trade</a>
          <a href="#cluster">Cluster</a>
        </nav>
      )}
      <Header link={link} floor={floor} />
      <Banner link={link} floor={floor} />
      {floor === null ? (
        <main class="waiting" aria-busy={link === "opening"}>
          <p>{link === "lost" ? "This front end doesn't answer yet." : "Opening the bazaar …"}</p>
        </main>
      ) : (
        <main class={`floor ${isSlow ? "has-motion" : ""}`}>
          <Market bazaar={bazaar} floor={floor} chosen={chosen} onChoose={setChosen} />
          <div class="desk">
            <Ticket
              bazaar={bazaar}
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
              bazaar={bazaar}
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
