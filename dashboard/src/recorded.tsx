// The page of a run that was recorded, such as of the simulation: nothing but slow
// motion, from shortly before its end.

import { useEffect, useMemo, useState } from "preact/hooks";
import { Replay } from "./replay.tsx";
import { momentsOf, type Recording, withoutPulse } from "./replay-model.ts";
import { StripKeys } from "./replay-picture.tsx";

/** Steps before the end at which it opens. */
const OPENS_BEFORE = 40;

interface RecordedRun extends Recording {
  readonly title: string;
}

export function Recorded({ url }: { url: string }) {
  const [run, setRun] = useState<RecordedRun | null>(null);
  const [isWhole, setIsWhole] = useState(false);
  useEffect(() => {
    void fetch(url)
      .then((response) => response.json())
      .then(setRun);
  }, [url]);
  const recording = useMemo(
    () => run && { ...run, messages: isWhole ? run.messages : withoutPulse(run.messages) },
    [run, isWhole],
  );
  if (!run || !recording) {
    return (
      <main class="waiting" aria-busy="true">
        <p>Opening the recording …</p>
      </main>
    );
  }
  const end = run.notes.at(-1);
  const moments = momentsOf(recording);
  return (
    <div class="page recorded">
      <header class="sign">
        <div class="awning" aria-hidden="true" />
        <div class="sign-row">
          <h1>{run.title}</h1>
          {end?.tone === "bad" && <p class="pill bad">{end.text}</p>}
        </div>
      </header>
      <main class="floor recorded-floor">
        <section class="panel" aria-label="Slow motion">
          <Replay
            key={String(isWhole)}
            recording={recording}
            history={run.messages}
            startAt={end?.tone === "bad" ? moments.at(-OPENS_BEFORE) : undefined}
          />
          <StripKeys />
          <label class="recorded-whole">
            <input
              type="checkbox"
              checked={isWhole}
              onChange={(event) => setIsWhole(event.currentTarget.checked)}
            />
            heartbeats and leases, too
          </label>
        </section>
      </main>
    </div>
  );
}
