// The ticket: one trade, and what became of it, said plainly. A refusal is an
// answer like any other; only what has no answer yet is waited for, and what had
// none in time can be asked again under its key, so that it still counts once.

import { useEffect, useRef, useState } from "preact/hooks";
import { type BazaarClient, BazaarError, type TradeType } from "../../src/client/index.ts";
import { count, duration, exact, price } from "./format.ts";
import { type ClusterPart, onDisks, type StockRow } from "./model.ts";

interface TicketProps {
  readonly bazaar: BazaarClient;
  /** Null until they are known. */
  readonly stocks: ReadonlyMap<string, StockRow> | null;
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

export function Ticket({ bazaar, stocks, cluster, chosen, onChoose }: TicketProps) {
  const [type, setType] = useState<TradeType>("buy");
  const [quantity, setQuantity] = useState("10");
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [isWaiting, setIsWaiting] = useState(false);
  const isGone = useRef(false);
  useEffect(
    () => () => {
      isGone.current = true;
    },
    [],
  );
  const name = chosen ?? stocks?.keys().next().value ?? "";
  const stock = stocks?.get(name);
  const units = Number(quantity);
  const verb = type === "buy" ? "Buy" : "Sell";
  const again = outcome?.again;
  const worth = stock && units > 0 ? price(stock.price * units) : null;

  const submit = async (wanted: Wanted) => {
    setIsWaiting(true);
    const started = performance.now();
    const slow = setTimeout(() => {
      setOutcome({
        tone: "wait",
        title: "Waiting for the leader",
        text: "The trade is under one key, so it counts once, however often it is sent.",
      });
    }, SLOW_MS);
    const said = await trade(bazaar, wanted, started);
    clearTimeout(slow);
    if (isGone.current) return;
    setOutcome(said);
    setIsWaiting(false);
  };

  return (
    <section class="panel ticket" aria-labelledby="ticket-title">
      <h2 id="ticket-title">Trade</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isWaiting) void submit({ name, type, quantity: units });
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
        <label class="field">
          <span>Stock</span>
          <select
            name="stock"
            value={name}
            onChange={(event) => onChoose(event.currentTarget.value)}
          >
            {stocks === null && <option value="">not known yet</option>}
            {[...(stocks?.keys() ?? [])].map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Quantity</span>
          <input
            name="quantity"
            type="number"
            inputMode="numeric"
            step="1"
            required
            value={quantity}
            onInput={(event) => setQuantity(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class={`go ${type}`} disabled={isWaiting || !stock}>
          {isWaiting ? "Asking …" : `${verb} ${Number.isFinite(units) ? count(units) : ""} ${name}`}
          {worth !== null && !isWaiting && <span class="worth">{worth}</span>}
        </button>
      </form>
      <div class="outcome-place" role="status">
        {outcome === null ? (
          <p class="hint">A trade is {onDisks(cluster)} before it is answered.</p>
        ) : (
          <div class={`outcome ${outcome.tone}`} data-testid="outcome">
            <strong>{outcome.title}</strong>
            <span class="outcome-text">{outcome.text}</span>
          </div>
        )}
      </div>
      {again && (
        <button type="button" class="again" disabled={isWaiting} onClick={() => void submit(again)}>
          Ask again
        </button>
      )}
    </section>
  );
}

async function trade(bazaar: BazaarClient, wanted: Wanted, started: number): Promise<Outcome> {
  const { name, type, quantity } = wanted;
  try {
    const { number } = await bazaar.trade(wanted);
    const done = type === "buy" ? "Bought" : "Sold";
    const took = duration(performance.now() - started);
    return {
      tone: "good",
      title: `${done} ${count(quantity)} ${name}`,
      text: `Order ${exact(number)}, in ${took}`,
    };
  } catch (error) {
    if (!(error instanceof BazaarError)) throw error;
    if (error.kind === "refused") {
      return { tone: "bad", title: "Refused", text: error.message };
    }
    return {
      tone: "bad",
      title: "No answer",
      text: "It isn't known whether the trade was made. Asked again it still counts once.",
      ...(error.key !== null && { again: { ...wanted, key: error.key } }),
    };
  }
}
