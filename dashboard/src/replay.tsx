// A recording in slow motion: the processes as boxes with strips of their
// journals, messages that move along the lines between them, and the hands of the
// clock in the viewer's own hands. For a real cluster and for a simulated one.

import { useEffect, useMemo, useState } from "preact/hooks";
import { clock, count } from "./format.ts";
import {
  flying,
  happeningsOf,
  type Message,
  momentsOf,
  type Recording,
  standingsAt,
} from "./replay-model.ts";
import { isStill, ReplayPicture } from "./replay-picture.tsx";
import { happenedAt } from "./replay-words.ts";

/** Recorded milliseconds for each second that it is played. */
const SPEEDS = [
  [1, "1,000 times slower"],
  [5, "200 times slower"],
  [25, "40 times slower"],
  [100, "10 times slower"],
  [1_000, "as fast as it was"],
] as const;
/** While nothing is on its way for this long, recorded milliseconds, time is passed over. */
const DULL_MS = 20;
/** Where movement isn't wanted, playing goes from step to step, so many milliseconds each. */
const STILL_STEP_MS = 1_000;
/** Steps that are written out at once. */
const TRANSCRIPT_STEPS = 300;
/** Lines of text that are shown of one moment. */
const LINES_MAX = 6;

interface ReplayProps {
  readonly recording: Recording;
  /** All messages from the start on, those that aren't shown too: journals are made of them. */
  readonly history?: readonly Message[];
  /** Where it opens; at the beginning unless told. */
  readonly startAt?: number | undefined;
}

export function Replay({ recording, history, startAt }: ReplayProps) {
  const { roles, messages, notes } = recording;
  const moments = useMemo(() => momentsOf(recording), [recording]);
  const happenings = useMemo(() => happeningsOf(history ?? messages), [history, messages]);
  const first = moments[0] ?? 0;
  const [at, setAt] = useState(startAt ?? first);
  const [isPlaying, setIsPlaying] = useState(false);
  const [speed, setSpeed] = useState<number>(SPEEDS[1][0]);
  useEffect(() => {
    setAt(startAt ?? first);
    setIsPlaying(false);
  }, [recording]);

  usePlaying(isPlaying, speed, moments, messages, setAt, () => setIsPlaying(false));
  const index = Math.max(
    0,
    moments.findLastIndex((moment) => moment <= at),
  );
  const moment = moments[index] ?? 0;
  const standings = useMemo(
    () => standingsAt(roles, happenings, moment),
    [roles, happenings, moment],
  );
  const lines = useMemo(() => happenedAt(recording, moment), [recording, moment]);
  const isBad = notes.some((note) => note.at === moment && note.tone === "bad");
  const go = (to: number) => {
    setIsPlaying(false);
    setAt(moments[Math.max(0, Math.min(moments.length - 1, to))] ?? 0);
  };
  if (moments.length === 0) return <p class="quiet">Nothing was recorded.</p>;
  return (
    <div class="replay">
      <ReplayPicture roles={roles} standings={standings} messages={messages} at={at} />
      <fieldset class="replay-hands">
        <legend class="hidden">Slow motion</legend>
        <button type="button" onClick={() => go(0)}>
          First
        </button>
        <button type="button" onClick={() => go(at > moment ? index : index - 1)}>
          Back
        </button>
        <button
          type="button"
          class="replay-play"
          onClick={() => {
            if (!isPlaying && index === moments.length - 1) setAt(first);
            setIsPlaying(!isPlaying);
          }}
        >
          {isPlaying ? "Pause" : "Play"}
        </button>
        <button type="button" onClick={() => go(index + 1)}>
          Step
        </button>
        <button type="button" onClick={() => go(moments.length - 1)}>
          Last
        </button>
        <label>
          <span class="hidden">Speed</span>
          <select value={speed} onChange={(event) => setSpeed(Number(event.currentTarget.value))}>
            {SPEEDS.map(([each, words]) => (
              <option key={each} value={each}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <input
          type="range"
          aria-label="Moment"
          aria-valuetext={`step ${index + 1} of ${moments.length}`}
          min={0}
          max={moments.length - 1}
          value={index}
          onInput={(event) => go(Number(event.currentTarget.value))}
        />
        <output class="replay-time">
          {whenOf(moment, first)}
          <span class="quiet">
            {" "}
            step {count(index + 1)} of {count(moments.length)}
          </span>
        </output>
      </fieldset>
      <ul
        class={`replay-words ${isBad ? "bad" : ""}`}
        aria-live={isPlaying ? "off" : "polite"}
        data-testid="replay-words"
      >
        {lines.slice(0, LINES_MAX).map((line, nth) => (
          <li key={`${nth} ${line}`}>{line}</li>
        ))}
        {lines.length > LINES_MAX && <li>and {lines.length - LINES_MAX} more</li>}
      </ul>
      <Transcript recording={recording} moments={moments} index={index} go={go} />
    </div>
  );
}

interface TranscriptProps {
  readonly recording: Recording;
  readonly moments: readonly number[];
  readonly index: number;
  readonly go: (to: number) => void;
}

/** The steps around the present one, written out; each leads there. */
function Transcript({ recording, moments, index, go }: TranscriptProps) {
  const [isOpen, setIsOpen] = useState(false);
  const from = Math.max(
    0,
    Math.min(index - TRANSCRIPT_STEPS / 2, moments.length - TRANSCRIPT_STEPS),
  );
  const shown = isOpen ? moments.slice(from, from + TRANSCRIPT_STEPS) : [];
  return (
    <details
      class="transcript"
      open={isOpen}
      onToggle={(event) => setIsOpen(event.currentTarget.open)}
    >
      <summary>The steps, written out</summary>
      <ol start={from + 1} data-testid="transcript">
        {shown.map((moment, nth) => (
          <li key={moment}>
            <button
              type="button"
              aria-current={from + nth === index ? "step" : undefined}
              onClick={() => go(from + nth)}
            >
              {happenedAt(recording, moment).join("; ")}
            </button>
          </li>
        ))}
      </ol>
    </details>
  );
}

/** Of a real cluster the time of day, of a simulated one since it began; and since the first step. */
function whenOf(at: number, first: number): string {
  const since = `+${(at - first).toFixed(2)} ms`;
  const isWall = first > 1e11;
  return isWall ? `${clock(at)} ${since}` : `${at.toFixed(2)} ms`;
}

/** Lets time pass, and passes over times when nothing happens. */
function usePlaying(
  isPlaying: boolean,
  speed: number,
  moments: readonly number[],
  messages: readonly Message[],
  setAt: (change: (at: number) => number) => void,
  over: () => void,
): void {
  useEffect(() => {
    if (!isPlaying) return;
    if (isStill()) {
      const timer = setInterval(
        () =>
          setAt((at) => {
            const next = moments.find((moment) => moment > at);
            if (next === undefined) over();
            return next ?? at;
          }),
        STILL_STEP_MS,
      );
      return () => clearInterval(timer);
    }
    let before = performance.now();
    let frame = requestAnimationFrame(function step(now) {
      const passed = ((now - before) * speed) / 1_000;
      before = now;
      setAt((at) => {
        const then = at + passed;
        const last = moments.at(-1) ?? 0;
        if (then >= last) {
          over();
          return last;
        }
        const next = moments.find((moment) => moment > at) ?? last;
        const isDull = next - at > DULL_MS && flying(messages, at).length === 0;
        return isDull ? next - DULL_MS / 10 : then;
      });
      frame = requestAnimationFrame(step);
    });
    return () => cancelAnimationFrame(frame);
  }, [isPlaying, speed, moments, messages]);
}
