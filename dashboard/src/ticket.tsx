// The ticket: one trade, and what became of it, said plainly. A refusal is an
// answer like any other; only what has no answer yet is waited for, and what had
// none in time can be asked again under its key, so that it still counts once.

import { useEffect, useRef, useState } from "preact/hooks";
import { type BazaarClient, BazaarError, type TradeType } from "../../src/client/index.ts";
import { count, duration, exact, price } from "./format.ts";
import { type ClusterPart, onDisks, type StockRow } from "./model.ts";
import { useStock, useSuggestions } from "./stock-list.ts";

interface TicketProps {
  readonly bazaar: BazaarClient;
  readonly mayTrade: boolean;
  /** Null until they are known. */
  readonly stocks: ReadonlyMap<string, StockRow> | null;
  /** Whether there are no others. */
  readonly areAllKnown: boolean;
  readonly cluster: ClusterPart;
  readonly chosen: string | null;
  readonly onChoose: (name: string) => void;
}

interface Wanted {
  readonly name: string;
  readonly type: TradeType;
  readonly quantity: number;
  /** Of a trade that was sent before, without an answer. */
  readonly key?: string;
}

interface Outcome {
  readonly tone: "good" | "bad" | "wait";
  readonly title: string;
  readonly text: string;
  /** What may be asked again. */
  readonly again?: Wanted;
}

/** An answer that takes longer than this is worth a word, milliseconds. */
const SLOW_MS = 400;
/** How long the ticket waits for an answer, asking again and again, milliseconds. */
const WAIT_MS = 30_000;
const COUNT_MS = 1_000;

const WAITING: Outcome = {
  tone: "wait",
  title: "Waiting for the leader",
  text: `At most ${WAIT_MS / 1_000} seconds. The trade is sent again and again under one key, so it counts once.`,
};

export function Ticket({
  bazaar,
  mayTrade,
  stocks,
  areAllKnown,
  cluster,
  chosen,
  onChoose,
}: TicketProps) {
  const [type, setType] = useState<TradeType>("buy");
  const [quantity, setQuantity] = useState("10");
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [isWaiting, setIsWaiting] = useState(false);
  const [waitedMs, setWaitedMs] = useState(0);
  const waiting = useRef<AbortController | null>(null);
  const isGone = useRef(false);
  useEffect(
    () => () => {
      isGone.current = true;
      waiting.current?.abort();
    },
    [],
  );
  const name = chosen ?? stocks?.keys().next().value ?? "";
  const stock = useStock(bazaar, stocks, name);
  const units = wholeNumber(quantity);
  const verb = type === "buy" ? "Buy" : "Sell";
  const again = outcome?.again;
  const worth = stock && units !== null && units > 0 ? price(stock.price * units) : null;

  const submit = async (wanted: Wanted) => {
    setIsWaiting(true);
    const giveUp = new AbortController();
    waiting.current = giveUp;
    const started = performance.now();
    const slow = setTimeout(() => setOutcome(WAITING), SLOW_MS);
    setWaitedMs(0);
    const counting = setInterval(() => setWaitedMs(performance.now() - started), COUNT_MS);
    const said = await trade(bazaar, wanted, started, giveUp.signal);
    clearTimeout(slow);
    clearInterval(counting);
    if (isGone.current) return;
    setOutcome(said);
    setIsWaiting(false);
  };

  return (
    <section id="ticket" class="panel ticket" aria-labelledby="ticket-title" tabIndex={-1}>
      <h2 id="ticket-title">Trade</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isWaiting && units !== null) void submit({ name, type, quantity: units });
        }}
      >
        <fieldset class="sides">
          <legend class="hidden">Buy or sell</legend>
          {(["buy", "sell"] as const).map((side) => (
            <label key={side} class={`side ${side}`}>
              <input
                type="radio"
                name="side"
                value={side}
                checked={type === side}
                onChange={() => setType(side)}
              />
              <span class="side-word">{side === "buy" ? "Buy" : "Sell"}</span>
            </label>
          ))}
        </fieldset>
        <StockField
          bazaar={bazaar}
          stocks={stocks}
          areAllKnown={areAllKnown}
          name={name}
          onChoose={onChoose}
        />
        <label class="field">
          <span>Quantity</span>
          <input
            name="quantity"
            type="number"
            inputMode="numeric"
            step="1"
            min={-Number.MAX_SAFE_INTEGER}
            max={Number.MAX_SAFE_INTEGER}
            required
            value={quantity}
            onInput={(event) => setQuantity(event.currentTarget.value)}
          />
        </label>
        <button
          type="submit"
          class={`go ${type}`}
          disabled={isWaiting || name === "" || stocks === null || !mayTrade}
        >
          <span class="go-word">
            {isWaiting
              ? "Asking …"
              : units === null
                ? "Enter a whole number"
                : `${verb} ${count(units)} ${name}`}
          </span>
          {worth !== null && !isWaiting && <span class="worth">{worth}</span>}
        </button>
      </form>
      <div class="outcome-place" role="status">
        {!mayTrade ? (
          <p class="hint">Your key may look on: it lacks the right to trade.</p>
        ) : outcome === null ? (
          <p class="hint">A trade is {onDisks(cluster)} before it is answered.</p>
        ) : (
          <div class={`outcome ${outcome.tone}`} data-testid="outcome">
            <strong>{outcome.title}</strong>
            <span class="outcome-text">{outcome.text}</span>
          </div>
        )}
      </div>
      {isWaiting && outcome?.tone === "wait" && (
        <div class="waiting-trade">
          <progress max={WAIT_MS} value={waitedMs} aria-label="Waited for an answer" />
          <button type="button" class="again" onClick={() => waiting.current?.abort()}>
            Give up
          </button>
        </div>
      )}
      {again && (
        <button type="button" class="again" disabled={isWaiting} onClick={() => void submit(again)}>
          Ask again
        </button>
      )}
    </section>
  );
}

interface StockFieldProps {
  readonly bazaar: BazaarClient;
  readonly stocks: ReadonlyMap<string, StockRow> | null;
  readonly areAllKnown: boolean;
  readonly name: string;
  readonly onChoose: (name: string) => void;
}

/** Of few stocks one is picked; of more than the page knows, one is written, with suggestions. */
function StockField({ bazaar, stocks, areAllKnown, name, onChoose }: StockFieldProps) {
  const suggested = useSuggestions(bazaar, areAllKnown ? null : name);
  if (areAllKnown) {
    return (
      <label class="field">
        <span>Stock</span>
        <select name="stock" value={name} onChange={(event) => onChoose(event.currentTarget.value)}>
          {stocks === null && <option value="">not known yet</option>}
          {[...(stocks?.keys() ?? [])].map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      </label>
    );
  }
  return (
    <label class="field">
      <span>Stock</span>
      <input
        name="stock"
        list="stock-names"
        maxLength={64}
        pattern="[A-Za-z]+"
        required
        autocomplete="off"
        value={name}
        onInput={(event) => onChoose(event.currentTarget.value)}
      />
      <datalist id="stock-names">
        {suggested.map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
    </label>
  );
}

/** Null for what isn't one, or is greater than can be counted exactly. Negative ones are the bazaar's to refuse. */
function wholeNumber(text: string): number | null {
  const value = Number(text);
  return text.trim() !== "" && Number.isSafeInteger(value) ? value : null;
}

async function trade(
  bazaar: BazaarClient,
  wanted: Wanted,
  started: number,
  signal: AbortSignal,
): Promise<Outcome> {
  const { name, type, quantity } = wanted;
  try {
    const { number } = await bazaar.trade(wanted, { signal, timeoutMs: WAIT_MS });
    const done = type === "buy" ? "Bought" : "Sold";
    const took = duration(performance.now() - started);
    return {
      tone: "good",
      title: `${done} ${count(quantity)} ${name}`,
      text: `Order ${exact(number)}, in ${took}`,
    };
  } catch (error) {
    if (!(error instanceof BazaarError)) throw error;
    const { kind, message } = error;
    if (kind === "refused" || kind === "unauthorized" || kind === "forbidden") {
      return { tone: "bad", title: "Refused", text: message };
    }
    return {
      tone: "bad",
      title: kind === "aborted" ? "Given up" : "No answer",
      text: "It isn't known whether the trade was made. It may be made later, too, when a leader is back. Asked again it still counts once.",
      ...(error.key !== null && { again: { ...wanted, key: error.key } }),
    };
  }
}
