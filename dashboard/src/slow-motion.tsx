// What the processes say to each other, looked at: the journals as they are now,
// and, in slow motion, one trade, the last seconds, or a scenario with a question.
// Nothing is recorded, by anybody, while this isn't open.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { GatheredSteps } from "../../src/roles/frontend/feed/events-steps.ts";
import type { Visit } from "./key.tsx";
import type { Floor } from "./model.ts";
import type { PlaygroundAccess } from "./playground.ts";
import { Replay } from "./replay.tsx";
import {
  happeningsOf,
  type Message,
  messagesOf,
  type Recording,
  type Step,
  standingsAt,
  tradesOf,
  withoutPulse,
} from "./replay-model.ts";
import { ReplayPicture, StripKeys } from "./replay-picture.tsx";
import { Scenarios } from "./scenarios.tsx";

/** Between two questions for steps, milliseconds. */
const ASK_MS = 400;
/** The steps of the last moments are waited for this long at most, milliseconds. */
const GATHER_LIMIT_MS = 5_000;
/** Steps that are kept: some seconds of a bazaar at work, a minute of one at rest. */
const STEPS_MAX = 8_000;
/** Trades that can be chosen. */
const TRADES_MAX = 8;
/** What "the last seconds" are, milliseconds. */
const LATELY_MS = 2_000;

interface SlowMotionProps {
  readonly visit: Visit;
  readonly floor: Floor;
  readonly playground: PlaygroundAccess | null;
  readonly onClose: () => void;
}

export interface Shown {
  readonly title: string;
  readonly recording: Recording;
  /** From the first message that is known, for the journals. */
  readonly history: readonly Message[];
}

export function SlowMotion({ visit, floor, playground, onClose }: SlowMotionProps) {
  const { cluster } = floor;
  const [shown, setShown] = useState<Shown | null>(null);
  const { messages, isTorn, gathered } = useMessages(visit, shown === null);
  const place = useRef<HTMLElement>(null);
  useEffect(() => place.current?.focus(), []);
  const roles = useMemo(
    () => [...cluster.frontends, ...cluster.catalogs, ...cluster.replicas].map(({ role }) => role),
    [
      JSON.stringify(
        [...cluster.frontends, ...cluster.catalogs, ...cluster.replicas].map((r) => r.role),
      ),
    ],
  );
  const trades = useMemo(() => tradesOf(messages, TRADES_MAX), [messages]);
  const now = useMemo(
    () => standingsAt(roles, happeningsOf(messages), Number.POSITIVE_INFINITY),
    [messages, roles],
  );
  const show = (title: string, some: readonly Message[], history = messages) =>
    setShown({ title, recording: { roles, messages: some, notes: [] }, history });
  return (
    <section
      class="panel motion"
      aria-labelledby="motion-title"
      data-testid="motion"
      tabIndex={-1}
      ref={place}
    >
      <div class="panel-head">
        <h2 id="motion-title">Slow motion{shown && `: ${shown.title}`}</h2>
        <p class="motion-hands">
          {shown && (
            <button type="button" class="again" onClick={() => setShown(null)}>
              Back to now
            </button>
          )}
          <button type="button" class="again" onClick={onClose}>
            Close
          </button>
        </p>
      </div>
      {shown ? (
        <Replay recording={shown.recording} history={shown.history} />
      ) : (
        <>
          <ReplayPicture roles={roles} standings={now} messages={[]} at={0} />
          <div class="motion-choice">
            <span>Step through</span>
            {trades.map(({ order, text, messages: parts }) => (
              <button
                key={order}
                type="button"
                class="again"
                onClick={() => show(`order ${order}, ${text}`, parts)}
              >
                order {order}, {text}
              </button>
            ))}
            <button
              type="button"
              class="again"
              disabled={messages.length === 0}
              onClick={() => {
                const since = (messages.at(-1)?.sentAt ?? 0) - LATELY_MS;
                const late = messages.filter(({ sentAt }) => sentAt >= since);
                show("the last two seconds", late);
              }}
            >
              everything of the last two seconds
            </button>
          </div>
          {trades.length === 0 && (
            <p class="quiet">Make a trade, and step through it here: it takes milliseconds.</p>
          )}
          {isTorn && <p class="quiet">There is so much to do that not all of it was kept.</p>}
        </>
      )}
      <StripKeys />
      <Scenarios
        bazaar={visit.bazaar}
        floor={floor}
        playground={playground}
        onRecorded={async (title, since) => {
          const all = await gathered();
          show(title, withoutPulse(all.filter(({ sentAt }) => sentAt >= since)), all);
        }}
        onBegin={() => setShown(null)}
      />
    </section>
  );
}

/** What is recorded while `isOn`, and for who can't wait for the next picture, `latest`. */
function useMessages(visit: Visit, isOn: boolean) {
  const [seen, setSeen] = useState<{ messages: readonly Message[]; isTorn: boolean }>({
    messages: [],
    isTorn: false,
  });
  const steps = useRef<readonly Step[]>([]);
  const after = useRef(0);
  const asked = useRef(0);
  useEffect(() => {
    if (!isOn) return;
    const controller = new AbortController();
    let isAsking = false;
    const ask = async () => {
      if (isAsking) return;
      isAsking = true;
      try {
        const response = await visit.ask(`/steps?after=${after.current}`, {
          signal: controller.signal,
        });
        const { data }: { data: GatheredSteps } = await response.json();
        after.current = data.next;
        if (data.steps.length > 0) {
          steps.current = [...steps.current, ...data.steps].slice(-STEPS_MAX);
          setSeen({ messages: messagesOf(steps.current), isTorn: data.isTorn });
        }
      } catch {
        // The page says itself when the connection is lost.
      }
      isAsking = false;
      asked.current += 1;
    };
    void ask();
    const timer = setInterval(() => void ask(), ASK_MS);
    return () => {
      clearInterval(timer);
      controller.abort();
    };
  }, [visit, isOn]);
  /** Once everything is here that happened before: after the question under way, a whole one. */
  const gathered = async () => {
    const from = asked.current;
    for (
      let waitedMs = 0;
      asked.current < from + 2 && waitedMs < GATHER_LIMIT_MS;
      waitedMs += ASK_MS
    ) {
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
    return messagesOf(steps.current);
  };
  return { ...seen, gathered };
}
