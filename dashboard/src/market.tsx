// All stocks: what one costs, how much there is, how much was traded, and how
// the quantity went.

import { useState } from "preact/hooks";
import { count, price } from "./format.ts";
import type { Floor, StockRow } from "./model.ts";
import { NotKnown } from "./not-known.tsx";
import { Scroll } from "./scroll.tsx";
import { Sparkline } from "./sparkline.tsx";

/** From this many stocks on, a filter helps more than scrolling. */
const FILTER_FROM = 16;

interface MarketProps {
  readonly floor: Floor;
  readonly chosen: string | null;
  readonly onChoose: (name: string) => void;
}

export function Market({ floor, chosen, onChoose }: MarketProps) {
  const [filter, setFilter] = useState("");
  const rows = [...(floor.stocks?.values() ?? [])];
  const wanted = filter.trim().toLowerCase();
  const shown =
    wanted === "" ? rows : rows.filter(({ name }) => name.toLowerCase().includes(wanted));
  return (
    <section class="panel market" aria-labelledby="market-title">
      <div class="panel-head">
        <h2 id="market-title">Market</h2>
        {floor.stocks && (
          <p class="aside">
            {rows.length < floor.stocksTotal
              ? `first ${count(rows.length)} of ${count(floor.stocksTotal)} stocks`
              : `${count(floor.stocksTotal)} stocks`}
            {floor.countedFrom > 1 && `, traded since order ${count(floor.countedFrom)}`}
          </p>
        )}
      </div>
      {rows.length >= FILTER_FROM && (
        <input
          class="filter"
          type="search"
          aria-label="Find a stock"
          placeholder="Find a stock"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      )}
      {floor.stocks === null ? (
        <NotKnown what="The stocks" cluster={floor.cluster} />
      ) : rows.length === 0 ? (
        <div class="empty" data-testid="no-stocks">
          <p>Nothing is on offer yet.</p>
          <p>
            <code>npx bazaar list FishCo 17.99 600</code> lists a stock.
          </p>
        </div>
      ) : (
        <Scroll label="Stocks">
          <table class="stocks">
            <thead>
              <tr>
                <th scope="col" class="name">
                  Stock
                </th>
                <th scope="col" class="number wide-only">
                  Price
                </th>
                <th scope="col" class="number">
                  In stock
                </th>
                <th scope="col" class="number">
                  Traded
                </th>
                <th scope="col" class="trail">
                  Quantity, last 2 min
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((row) => (
                <Row
                  key={row.name}
                  row={row}
                  trail={floor.trails.get(row.name) ?? []}
                  isChosen={row.name === chosen}
                  onChoose={onChoose}
                />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}

interface RowProps {
  readonly row: StockRow;
  readonly trail: readonly number[];
  readonly isChosen: boolean;
  readonly onChoose: (name: string) => void;
}

function Row({ row, trail, isChosen, onChoose }: RowProps) {
  const { name, quantity, volume } = row;
  const level = quantity === 0 ? "sold-out" : "";
  return (
    <tr class={isChosen ? "is-chosen" : ""}>
      <th scope="row">
        <button
          type="button"
          class="stock-name"
          aria-pressed={isChosen}
          onClick={() => onChoose(name)}
        >
          {name}
          <span class="narrow-only under">{price(row.price)}</span>
        </button>
      </th>
      <td class="number wide-only">{price(row.price)}</td>
      <td class={`number strong ${level}`}>
        {/* A new key starts the flash again. */}
        <span key={quantity} class="flash">
          {quantity === 0 ? "sold out" : count(quantity)}
        </span>
      </td>
      <td class="number quiet">{volume === null ? "–" : count(volume)}</td>
      <td class="trail">
        <Sparkline values={[...trail, quantity]} />
      </td>
    </tr>
  );
}
