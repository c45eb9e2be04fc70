// The cluster as a picture: front ends and catalogs above, the order replicas
// below, lines for what passes between them, and who leads in gold.
//
// The boxes are ordinary elements, so they wrap, are read out and hold buttons;
// the lines are drawn behind them from where they are.

import { useRef } from "preact/hooks";
import { LinkKeys, Links, useLinks } from "./cluster-links.tsx";
import { clock, count, duration, roleName } from "./format.ts";
import type { ClusterPart, Floor, Moment } from "./model.ts";
import type { PlaygroundAccess } from "./playground.ts";
import { LoadSlider, PlayButtons } from "./playground-controls.tsx";

/** Moments that are shown. */
const MOMENTS_SHOWN = 8;
/** So long a change of leader is the news, by the front end's clock, milliseconds. */
const NEWS_MS = 8_000;

interface ClusterProps {
  readonly floor: Floor;
  readonly playground: PlaygroundAccess | null;
}

export function ClusterPanel({ floor, playground }: ClusterProps) {
  const { cluster, moments, at } = floor;
  const place = useRef<HTMLDivElement>(null);
  const links = useLinks(place, cluster);
  const changed = moments.find(({ kind }) => kind === "leads" || kind === "no-leader");
  const news = changed && at - changed.at < NEWS_MS && isFailover(changed) ? changed : null;
  return (
    <section class="panel cluster" aria-labelledby="cluster-title">
      <div class="panel-head">
        <h2 id="cluster-title">Cluster</h2>
        <p class="aside">{leaseText(cluster)}</p>
      </div>
      {playground && cluster.playground && (
        <LoadSlider
          load={cluster.playground.load}
          max={cluster.playground.loadMax}
          send={playground.send}
        />
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
              detail={standing === "down" ? "" : leasedBy === null ? "no lease" : "leased"}
              cluster={cluster}
              playground={playground}
            />
          ))}
          {cluster.catalogs.map(({ role, port, standing, asked, behind, leased }) => (
            <Node
              key={role}
              role={role}
              title={`Catalog ${port}`}
              standing={standing}
              word={standing !== "up" ? standing : asked ? "asked" : "up"}
              detail={standing === "up" ? catalogDetail(behind, leased) : ""}
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
              word={standing === "apart" ? "waits" : standing}
              detail={replicaDetail(standing, last, behind)}
              cluster={cluster}
              playground={playground}
            />
          ))}
        </ul>
      </div>
      <LinkKeys />
      {playground?.problem && (
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
        {changed ? momentText(changed) : ""}
      </p>
    </section>
  );
}

interface NodeProps {
  readonly role: string;
  readonly title: string;
  readonly standing: string;
  readonly word: string;
  readonly detail: string;
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
      {playground && played && (
        <PlayButtons role={role} title={title} state={played} send={playground.send} />
      )}
    </li>
  );
}

function replicaDetail(standing: string, last: number | null, behind: number | null): string {
  if (last === null || standing === "down") return "";
  if (standing === "leads") return `entry ${count(last)}`;
  if (behind === null) return `entry ${count(last)}`;
  return behind === 0 ? "level" : `${count(behind)} behind`;
}

function catalogDetail(behind: number | null, leased: boolean | null): string {
  const place = behind === null ? [] : [behind === 0 ? "level" : `${count(behind)} behind`];
  const lease = leased === null ? [] : [leased ? "leased" : "no lease"];
  return [...place, ...lease].join(", ");
}

function leaseText({ lease, leader, epoch }: ClusterPart): string {
  const reign = leader === null ? "nobody leads" : `epoch ${epoch}`;
  return lease === null ? `${reign}, no lease` : `${reign}, lease of ${duration(lease.ms)}`;
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
