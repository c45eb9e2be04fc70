// The cluster as a picture: front ends and catalogs above, the order replicas
// below, lines for what passes between them, and who leads in gold.
//
// The boxes are ordinary elements, so they wrap, are read out and hold buttons;
// the lines are drawn behind them from where they are.

import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { LinkKeys, Links, useLinks } from "./cluster-links.tsx";
import { clock, count, duration, roleName } from "./format.ts";
import type { ClusterPart, Floor, Moment, ReplicaStanding } from "./model.ts";
import type { PlaygroundAccess } from "./playground.ts";
import { CutLinks, CutList, LoadSlider, PlayButtons } from "./playground-controls.tsx";
import { Meaning } from "./term.tsx";

/** Moments that are shown. */
const MOMENTS_SHOWN = 8;
/** So long a change of leader is the news, by the front end's clock, milliseconds. */
const NEWS_MS = 8_000;

interface ClusterProps {
  readonly floor: Floor;
  readonly playground: PlaygroundAccess | null;
  /** Whether slow motion is open, and what opens it. */
  readonly isSlow: boolean;
  readonly onSlow: () => void;
}

export function ClusterPanel({ floor, playground, isSlow, onSlow }: ClusterProps) {
  const { cluster, moments, at } = floor;
  const place = useRef<HTMLDivElement>(null);
  const links = useLinks(place, cluster);
  const changed = moments.find(
    ({ kind }) => kind === "leads" || kind === "still-leads" || kind === "no-leader",
  );
  const news = changed && at - changed.at < NEWS_MS && isFailover(changed) ? changed : null;
  return (
    <section id="cluster" class="panel cluster" aria-labelledby="cluster-title" tabIndex={-1}>
      <div class="panel-head">
        <h2 id="cluster-title">Cluster</h2>
        <Reign cluster={cluster} />
      </div>
      {playground?.send && cluster.playground && (
        <LoadSlider state={cluster.playground} send={playground.send} />
      )}
      {playground && playground.send === null && cluster.playground && (
        <p class="onlooker" data-testid="onlooker">
          <strong>You look on.</strong> {playground.problem}. Load: {cluster.playground.load}/s.
        </p>
      )}
      <div class={`picture ${news ? "has-news" : ""}`} ref={place}>
        <Links links={links} />
        <ul class="tier" aria-label="Front ends and catalogs">
          {cluster.frontends.map(({ role, port, self, standing, leasedBy }) => (
            <Node
              key={role}
              role={role}
              title={`Front end ${port}`}
              standing={standing}
              word={standing === "down" ? "down" : self ? "this page" : "up"}
              detail={standing === "down" ? "" : <LeaseWord isLeased={leasedBy !== null} />}
              cluster={cluster}
              playground={playground}
            />
          ))}
          {cluster.catalogs.map(({ role, standing, asked, behind, leased }) => (
            <Node
              key={role}
              role={role}
              title={role.replace(/^catalog-?/, "Catalog ").trim()}
              standing={standing}
              word={standing !== "up" ? standing : asked ? <Meaning of="asked" /> : "up"}
              detail={standing === "up" ? <CatalogDetail behind={behind} leased={leased} /> : ""}
              cluster={cluster}
              playground={playground}
            />
          ))}
        </ul>
        <ul class="tier replicas" aria-label="Order replicas">
          {cluster.replicas.map(({ role, id, standing, last, behind }) => (
            <Node
              key={role}
              role={role}
              title={`Replica ${id}`}
              standing={standing}
              word={<ReplicaWord standing={standing} />}
              detail={<ReplicaDetail standing={standing} last={last} behind={behind} />}
              cluster={cluster}
              playground={playground}
            />
          ))}
        </ul>
      </div>
      {cluster.playground && <CutList state={cluster.playground} send={playground?.send ?? null} />}
      <div class="under-picture">
        <LinkKeys />
        {!isSlow && (
          <button type="button" class="again" onClick={onSlow}>
            Slow motion
          </button>
        )}
      </div>
      {playground?.send && playground.problem && (
        <p class="problem" role="alert">
          {playground.problem}
        </p>
      )}
      <h3>What happened</h3>
      <ol class="moments" data-testid="moments">
        {moments.slice(0, MOMENTS_SHOWN).map((moment) => (
          <li key={`${moment.at} ${moment.kind} ${moment.role}`} class={`moment ${moment.kind}`}>
            <time>{clock(moment.at)}</time> <span>{momentText(moment)}</span>
          </li>
        ))}
        {moments.length === 0 && <li class="moment quiet">Nothing yet.</li>}
      </ol>
      <p class="hidden" role="status">
        {moments[0] ? momentText(moments[0]) : ""}
      </p>
    </section>
  );
}

interface NodeProps {
  readonly role: string;
  readonly title: string;
  readonly standing: string;
  readonly word: ComponentChildren;
  readonly detail: ComponentChildren;
  readonly cluster: ClusterPart;
  readonly playground: PlaygroundAccess | null;
}

function Node({ role, title, standing, word, detail, cluster, playground }: NodeProps) {
  const played = cluster.playground?.roles[role];
  // What can't answer while it is paused may look as if it were gone.
  const isPaused = played === "paused";
  return (
    <li class={`node ${isPaused ? "silent" : standing}`} data-role={role}>
      <span class="node-title">{title}</span>
      <span class="node-word">
        <span class="dot" aria-hidden="true" />
        {isPaused ? "paused" : word}
      </span>
      <span class="node-detail">{detail}</span>
      {playground?.send && played && cluster.playground && (
        <PlayButtons role={role} title={title} state={played} send={playground.send}>
          <CutLinks role={role} title={title} state={cluster.playground} send={playground.send} />
        </PlayButtons>
      )}
    </li>
  );
}

function ReplicaWord({ standing }: { standing: ReplicaStanding }) {
  if (standing === "leads" || standing === "follows") return <Meaning of={standing} />;
  return standing === "apart" ? <Meaning of="waits" /> : <span>{standing}</span>;
}

interface ReplicaDetailProps {
  readonly standing: ReplicaStanding;
  readonly last: number | null;
  readonly behind: number | null;
}

function ReplicaDetail({ standing, last, behind }: ReplicaDetailProps) {
  if (last === null || standing === "down") return null;
  if (standing === "leads" || behind === null) {
    return <Meaning of="entry">{`entry ${count(last)}`}</Meaning>;
  }
  return <Behind behind={behind} />;
}

interface CatalogDetailProps {
  readonly behind: number | null;
  readonly leased: boolean | null;
}

function CatalogDetail({ behind, leased }: CatalogDetailProps) {
  return (
    <>
      {behind !== null && <Behind behind={behind} />}
      {behind !== null && leased !== null && ", "}
      {leased !== null && <LeaseWord isLeased={leased} />}
    </>
  );
}

function Behind({ behind }: { behind: number }) {
  return behind === 0 ? <Meaning of="level" /> : <span>{count(behind)} behind</span>;
}

function LeaseWord({ isLeased }: { isLeased: boolean }) {
  return <Meaning of={isLeased ? "leased" : "no lease"} />;
}

function Reign({ cluster: { lease, leader, epoch } }: { cluster: ClusterPart }) {
  return (
    <p class="aside">
      {leader === null ? "nobody leads" : <Meaning of="epoch">{`epoch ${epoch}`}</Meaning>},{" "}
      {lease === null ? (
        <Meaning of="no lease" />
      ) : (
        <Meaning of="leased">{`lease of ${duration(lease.ms)}`}</Meaning>
      )}
    </p>
  );
}

function isFailover(moment: Moment): boolean {
  return moment.kind === "no-leader" || (moment.kind === "leads" && moment.afterMs !== null);
}

export function momentText(moment: Moment): string {
  const name = roleName(moment.role);
  switch (moment.kind) {
    case "leads":
      return moment.afterMs === null
        ? `${name} leads, epoch ${moment.epoch}`
        : `${name} leads, epoch ${moment.epoch}, after ${duration(moment.afterMs)} without a leader`;
    case "still-leads":
      return `${name} leads on, epoch ${moment.epoch}: it was not heard of for ${duration(moment.afterMs)}`;
    case "no-leader":
      return `${name} is lost as leader`;
    case "down":
      return `${name} is down`;
    case "silent":
      return `${name} is silent`;
    case "back":
      return `${name} is back`;
  }
}
