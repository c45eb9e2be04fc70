// Four things that go wrong, for who teaches or learns: a question to think
// about, then the thing itself, done to this cluster and recorded, and after it
// the explanation.

import { useState } from "preact/hooks";
import type { BazaarClient } from "../../src/client/index.ts";

import type { ClusterPart, Floor } from "./model.ts";
import type { PlaygroundAccess, PlaygroundCommand } from "./playground.ts";

/** What was killed stays so for this long before the next step, milliseconds. */
const LOOK_MS = 2_000;

/** What a scenario has in hand. */
interface Stage {
  readonly bazaar: BazaarClient;
  readonly cluster: ClusterPart;
  readonly stock: string;
  readonly play: (command: PlaygroundCommand) => void;
}

interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly question: string;
  /** What will be done, before it is. */
  readonly plan: string;
  readonly explanation: string;
  /** Whether it does something to processes. */
  readonly isPlayed: boolean;
  readonly run: (stage: Stage) => Promise<void>;
}

const kill = (role: string): PlaygroundCommand => ({ kind: "process", action: "kill", role });
const start = (role: string): PlaygroundCommand => ({ kind: "process", action: "start", role });

const SCENARIOS: readonly Scenario[] = [
  {
    id: "killed-leader",
    title: "A killed leader",
    question:
      "The leader is killed, and somebody buys at the same moment. Does the buyer get an error? May the purchase be made twice, once by each leader?",
    plan: "kill -9 of the leader, and one purchase at once.",
    explanation:
      "The front end sees its connection close, and nominates the highest replica that answers. It gets the promise of a majority to follow nobody of an earlier epoch, and with it every entry that may have been committed. Then the front end asks again under the same key: if the entry is in the journal, the new leader answers with its number; if not, it decides now. So it is once, and no error.",
    isPlayed: true,
    run: async ({ bazaar, cluster, stock, play }) => {
      const leader = leading(cluster);
      play(kill(leader));
      await bazaar.trade({ name: stock, type: "buy", quantity: 1 });
      await pause(LOOK_MS);
      play(start(leader));
    },
  },
  {
    id: "lost-quorum",
    title: "A lost quorum",
    question:
      "All followers are killed. The leader still runs. May it go on selling, and tell the others later?",
    plan: "kill -9 of all followers, one purchase, and after two seconds the followers are started again.",
    explanation:
      "Whatever the leader writes to its own journal now, nobody acknowledges: one disk of three is no majority. Were it to answer, and die, the other two could come back, elect a leader that never heard of the purchase, and sell the same seat again. So it answers nothing, and after a few rounds without a majority it leads no more. The purchase waits at the front end, which asks again under the same key as soon as a majority has a leader: if its entry is in that leader's journal, it is answered from there, and else decided then. Either way it counts once.",
    isPlayed: true,
    run: async ({ bazaar, cluster, stock, play }) => {
      const others = followers(cluster);
      for (const role of others) play(kill(role));
      await pause(100);
      const trade = bazaar.trade({ name: stock, type: "buy", quantity: 1 });
      await pause(LOOK_MS);
      for (const role of others.toReversed()) play(start(role));
      await trade;
    },
  },
  {
    id: "cut-link",
    title: "A cut link",
    question:
      "The line between the leader and one follower is cut; both run, and both reach everybody else. Is the follower's journal now wrong? Does it elect itself?",
    plan: "the link is cut, two purchases are made, the link is mended.",
    explanation:
      "The leader and the other follower are a majority, so trades go on. The one that is cut off hears no leader, and does nothing: a replica stands only when a front end nominates it, and no front end misses its leader. When the link is mended, the leader sends what it lacks: it was behind, never wrong.",
    isPlayed: true,
    run: async ({ bazaar, cluster, stock, play }) => {
      const between = [leading(cluster), followers(cluster)[0] ?? ""] as const;
      play({ kind: "link", action: "cut", between });
      await pause(LOOK_MS);
      await bazaar.trade({ name: stock, type: "buy", quantity: 1 });
      await bazaar.trade({ name: stock, type: "sell", quantity: 1 });
      play({ kind: "link", action: "mend", between });
      await pause(LOOK_MS);
    },
  },
  {
    id: "stale-cache",
    title: "A stale cache that isn't",
    question:
      "This front end has a copy of a stock. Somebody buys some of it, and looks it up right after the answer. Could the copy still tell the old quantity?",
    plan: "a lookup, which makes a copy; one purchase; a lookup again.",
    explanation:
      "Before the leader answers the purchase, the catalog was told to hold the entry: it had every front end under its lease drop the copy, and waited until each had said so. Only then is the entry exposed, and the buyer answered. A front end that can't be reached isn't waited for longer than its lease runs, and after that it doesn't answer from copies.",
    isPlayed: false,
    run: async ({ bazaar, stock }) => {
      await bazaar.lookup(stock);
      await pause(300);
      await bazaar.lookup(stock);
      await bazaar.trade({ name: stock, type: "buy", quantity: 1 });
      await bazaar.lookup(stock);
    },
  },
];

interface ScenariosProps {
  readonly bazaar: BazaarClient;
  readonly floor: Floor;
  readonly playground: PlaygroundAccess | null;
  readonly onBegin: () => void;
  /** It is over: what was recorded since then can be shown. */
  readonly onRecorded: (title: string, since: number) => Promise<void>;
}

type Phase = "asked" | "running" | "explained";

export function Scenarios({ bazaar, floor, playground, onBegin, onRecorded }: ScenariosProps) {
  const [chosen, setChosen] = useState<Scenario | null>(null);
  const [phase, setPhase] = useState<Phase>("asked");
  const [problem, setProblem] = useState("");
  const stock = [...(floor.stocks?.values() ?? [])].find(({ quantity }) => quantity > 2)?.name;
  const mayRun = chosen !== null && (!chosen.isPlayed || Boolean(playground?.send));
  const run = async (scenario: Scenario) => {
    if (stock === undefined) return;
    setPhase("running");
    setProblem("");
    onBegin();
    const since = Date.now();
    const play = (command: PlaygroundCommand) => playground?.send?.(command);
    try {
      await scenario.run({ bazaar, cluster: floor.cluster, stock, play });
      await onRecorded(scenario.title.toLowerCase(), since);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
    setPhase("explained");
  };
  return (
    <div class="scenarios">
      <h3>Four things that go wrong</h3>
      <div class="motion-choice">
        {SCENARIOS.map((scenario) => (
          <button
            key={scenario.id}
            type="button"
            class="again"
            aria-pressed={chosen === scenario}
            disabled={phase === "running"}
            onClick={() => {
              setChosen(scenario);
              setPhase("asked");
              setProblem("");
              onBegin();
            }}
          >
            {scenario.title}
          </button>
        ))}
      </div>
      {chosen && (
        <div class="scenario" data-testid="scenario">
          <p class="scenario-question">{chosen.question}</p>
          {phase !== "explained" && (
            <p>
              <strong>What is done:</strong> {chosen.plan}
            </p>
          )}
          {phase === "asked" && mayRun && (
            <button
              type="button"
              class="again"
              disabled={stock === undefined}
              onClick={() => void run(chosen)}
            >
              I have an answer: do it
            </button>
          )}
          {phase === "asked" && !mayRun && (
            <>
              <p class="quiet">
                Who may play does it: see <code>bazaar up --playground</code>.
              </p>
              <button type="button" class="again" onClick={() => setPhase("explained")}>
                I have an answer: explain
              </button>
            </>
          )}
          <div role="status">
            {phase === "running" && <p>It is done and recorded …</p>}
            {phase === "explained" && (
              <p>
                <strong>What happens:</strong> {chosen.explanation}
              </p>
            )}
            {problem !== "" && <p class="problem">It was not answered: {problem}.</p>}
          </div>
        </div>
      )}
    </div>
  );
}

function leading({ replicas }: ClusterPart): string {
  return replicas.find(({ standing }) => standing === "leads")?.role ?? "";
}

function followers({ replicas }: ClusterPart): string[] {
  return replicas.filter(({ standing }) => standing !== "leads").map(({ role }) => role);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
