// The playground's buttons on each process, and the slider of the built-in client.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { count, roleName } from "./format.ts";
import type { PlaygroundLink, PlaygroundState } from "./model.ts";
import type { PlaygroundCommand } from "./playground.ts";

type Send = (command: PlaygroundCommand) => void;

interface PlayButtonsProps {
  readonly role: string;
  readonly title: string;
  readonly state: "running" | "paused" | "down";
  readonly send: Send;
  readonly children?: ComponentChildren;
}

const ACTIONS = {
  running: ["pause", "kill"],
  paused: ["resume", "kill"],
  down: ["start"],
} as const;

const WORDS = { pause: "Pause", kill: "Kill", resume: "Resume", start: "Start" } as const;

export function PlayButtons({ role, title, state, send, children }: PlayButtonsProps) {
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
      {children}
    </span>
  );
}

interface CutLinksProps {
  /** Whose links. */
  readonly role: string;
  readonly title: string;
  readonly state: PlaygroundState;
  readonly send: Send;
}

/** A button that opens the links of a process, each with one that cuts or mends it. */
export function CutLinks({ role, title, state: { links, cut }, send }: CutLinksProps) {
  const id = useId();
  const own = links.filter((link) => link.includes(role));
  if (own.length === 0) return null;
  return (
    <>
      <button type="button" class="play-button" popovertarget={id} aria-label={`Links of ${title}`}>
        Links
      </button>
      <div popover id={id} class="meaning cut-links">
        <p>Cut, a link carries nothing, both ways.</p>
        <ul>
          {own.map((between) => {
            const other = between.find((name) => name !== role) ?? role;
            const isCut = isAmong(cut, between);
            return (
              <li key={other}>
                <span>{roleName(other)}</span>
                <button
                  type="button"
                  class={`play-button ${isCut ? "resume" : "kill"}`}
                  aria-label={`${isCut ? "Mend" : "Cut"} the link of ${title} to ${roleName(other)}`}
                  onClick={() => send({ kind: "link", action: isCut ? "mend" : "cut", between })}
                >
                  {isCut ? "Mend" : "Cut"}
                </button>
              </li>
            );
          })}
        </ul>
      </div>
    </>
  );
}

/** The links that are cut, each with a button that mends it, for who may. */
export function CutList({ state: { cut }, send }: { state: PlaygroundState; send: Send | null }) {
  if (cut.length === 0) return null;
  return (
    <ul class="cut-list" data-testid="cut-list" aria-label="Links that are cut">
      {cut.map((between) => {
        const [one, other] = between.map(roleName);
        return (
          <li key={between.join(" ")}>
            <span>
              {one} and {other} can't hear each other
            </span>
            {send && (
              <button
                type="button"
                class="play-button resume"
                onClick={() => send({ kind: "link", action: "mend", between })}
              >
                Mend
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function isAmong(links: readonly PlaygroundLink[], [one, other]: PlaygroundLink): boolean {
  return links.some(([a, b]) => a === one && b === other);
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
          {loadSeen.refused !== null && `. Not let in: ${loadSeen.refused}`}
        </span>
      )}
    </label>
  );
}
