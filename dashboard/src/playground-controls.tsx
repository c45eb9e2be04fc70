// The playground's buttons on each process, and the slider of the built-in client.

import { useEffect, useRef, useState } from "preact/hooks";
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
  return (
    <span class="play">
      {ACTIONS[state].map((action) => (
        <button
          key={action}
          type="button"
          class={`play-button ${action}`}
          aria-label={`${WORDS[action]} ${title}`}
          onClick={() => send({ kind: "process", action, role })}
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
  readonly load: number;
  readonly max: number;
  readonly send: Send;
}

export function LoadSlider({ load, max, send }: LoadSliderProps) {
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
    </label>
  );
}
