// The playground's buttons on each process, and the slider of the built-in client.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { count } from "./format.ts";
import type { PlaygroundState } from "./model.ts";
import type { PlaygroundCommand } from "./playground.ts";

type Send = (command: PlaygroundCommand) => void;

interface PlayButtonsProps {
  readonly role: string;
  readonly title: string;
  readonly state: "running" | "paused" | "down";
  readonly send: Send;
}

const ACTIONS = {
  running: ["pause", "kill"],
  paused: ["resume", "kill"],
  down: ["start"],
} as const;

const WORDS = { pause: "Pause", kill: "Kill", resume: "Resume", start: "Start" } as const;

export function PlayButtons({ role, title, state, send }: PlayButtonsProps) {
  const place = useRef<HTMLSpanElement>(null);
  /** The button that was pressed goes with what it did: the focus stays with its successor. */
  const isPressed = useRef(false);
  useLayoutEffect(() => {
    const isElsewhere = document.activeElement !== null && document.activeElement !== document.body;
    if (isPressed.current && !isElsewhere) place.current?.querySelector("button")?.focus();
    isPressed.current = false;
  }, [state]);
  return (
    <span class="play" ref={place}>
      {ACTIONS[state].map((action) => (
        <button
          key={action}
          type="button"
          class={`play-button ${action}`}
          aria-label={`${WORDS[action]} ${title}`}
          onClick={() => {
            isPressed.current = true;
            send({ kind: "process", action, role });
          }}
        >
          {WORDS[action]}
        </button>
      ))}
    </span>
  );
}

/** While it is dragged, a command is sent at most this often, milliseconds. */
const SEND_EVERY_MS = 150;
const STEP = 50;

interface LoadSliderProps {
  readonly state: Pick<PlaygroundState, "load" | "loadSeen" | "loadMax">;
  readonly send: Send;
}

export function LoadSlider({ state: { load, loadSeen, loadMax: max }, send }: LoadSliderProps) {
  const [wanted, setWanted] = useState<number | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(() => {
    if (wanted === load) setWanted(null); // it is known there
  }, [load, wanted]);
  const shown = wanted ?? load;
  const set = (value: number) => {
    setWanted(value);
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = setTimeout(() => send({ kind: "load", perSecond: value }), SEND_EVERY_MS);
  };
  return (
    <label class="load">
      <span>Load</span>
      <input
        type="range"
        name="load"
        min="0"
        max={max}
        step={STEP}
        value={shown}
        aria-valuetext={`${shown} requests a second`}
        onInput={(event) => set(Number(event.currentTarget.value))}
      />
      <output>{shown}/s</output>
      {loadSeen && (
        <span class="load-seen">
          In the last second: asked for {count(load)}, sent {count(loadSeen.sent)}, answered{" "}
          {count(loadSeen.answered)}
          {loadSeen.skipped > 0 &&
            `, ${count(loadSeen.skipped)} skipped: too many were without an answer`}
        </span>
      )}
    </label>
  );
}
