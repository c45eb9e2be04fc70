// The cache of this front end: how well it does, what is in it, what just went.

import { count, percent } from "./format.ts";
import type { CachePart } from "./model.ts";

/** What went longer ago isn't "just now", milliseconds. */
const FRESH_MS = 4_000;

const WHERE = { memory: "in memory", redis: "in Redis", none: "switched off" } as const;

export function CachePanel({ cache, now }: { cache: CachePart; now: number }) {
  const { kind, size, sizeMax, hits, misses, evictions, invalidations, names, gone } = cache;
  const lookups = hits + misses;
  const isFull = size !== null && sizeMax !== null && size >= sizeMax;
  return (
    <section class="panel cache" aria-labelledby="cache-title">
      <div class="panel-head">
        <h2 id="cache-title">Cache</h2>
        <p class="aside">
          {WHERE[kind]}
          {size !== null && sizeMax !== null && `, ${count(size)} of ${count(sizeMax)}`}
          {isFull && " (full)"}
        </p>
      </div>
      <div class="hits">
        <p class="big">
          {lookups === 0 ? (
            <span class="big-note">No lookup yet</span>
          ) : (
            <>
              {percent(hits / lookups)} <span class="big-note">answered by a copy</span>
            </>
          )}
        </p>
        <meter
          min={0}
          max={1}
          value={lookups === 0 ? 0 : hits / lookups}
          aria-label="Lookups answered by a copy"
        />
      </div>
      <dl class="counts">
        <Count name="Hits" value={hits} />
        <Count name="Misses" value={misses} />
        <Count name="Invalidated" value={invalidations} />
        <Count name="Evicted" value={evictions} />
      </dl>
      {names && (
        <>
          <h3>In it now</h3>
          {names.length === 0 ? (
            <p class="quiet">Nothing: a lookup fills it, a trade empties it.</p>
          ) : (
            <ul class="chips">
              {names.map((name) => (
                <li key={name}>{name}</li>
              ))}
            </ul>
          )}
        </>
      )}
      {gone.length > 0 && (
        <>
          <h3>Just went</h3>
          <ul class="chips gone">
            {gone.slice(0, 6).map(({ name, why, at }) => (
              <li key={`${name} ${at}`} class={`${why} ${now - at < FRESH_MS ? "fresh" : ""}`}>
                {name} <span class="gone-why">{why}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Count({ name, value }: { name: string; value: number | null }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value === null ? "–" : count(value)}</dd>
    </div>
  );
}
