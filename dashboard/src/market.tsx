// All stocks: what one costs, how much there is, how much was traded, and how
// the quantity went.
//
// Of many stocks only the rows on the screen are there. The list is one stop of
// the Tab key; the arrow keys go from stock to stock (a roving tabindex,
// https://www.w3.org/WAI/ARIA/apg/practices/keyboard-interface/#kbd_roving_tabindex).

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { BazaarClient } from "../../src/client/index.ts";
import { count, price } from "./format.ts";
import type { Floor, StockRow } from "./model.ts";
import { NotKnown } from "./not-known.tsx";
import { Sparkline } from "./sparkline.tsx";
import { useStockList } from "./stock-list.ts";

/** From this many stocks on, a filter helps more than scrolling. */
const FILTER_FROM = 16;
/** From this many rows on, those off the screen are left out, and all have one height. */
const WINDOW_FROM = 60;
/** Rows above and below the screen that are there all the same. */
const SPARE_ROWS = 6;
/** Until a row was measured, pixels. */
const ROW_HEIGHT_GUESS = 44;
/** What PageUp and PageDown pass over, rows. */
const KEY_PAGE = 10;

interface MarketProps {
  readonly bazaar: BazaarClient;
  readonly floor: Floor;
  readonly chosen: string | null;
  readonly onChoose: (name: string) => void;
}

export function Market({ bazaar, floor, chosen, onChoose }: MarketProps) {
  const [search, setSearch] = useState("");
  const [seen, setSeen] = useState<readonly [string, string] | null>(null);
  const { rows, isMore, more } = useStockList(bazaar, floor, search, seen);
  const isSearching = search.trim() !== "";
  return (
    <section id="market" class="panel market" aria-labelledby="market-title" tabIndex={-1}>
      <div class="panel-head">
        <h2 id="market-title">Market</h2>
        {floor.stocks && (
          <p class="aside">
            {count(floor.stocksTotal)} stocks
            {floor.countedFrom > 1 && `, traded since order ${count(floor.countedFrom)}`}
          </p>
        )}
      </div>
      {floor.stocksTotal >= FILTER_FROM && (
        <input
          class="filter"
          type="search"
          aria-label="Find a stock"
          placeholder="Find a stock"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      )}
      {floor.stocks === null ? (
        <NotKnown what="The stocks" cluster={floor.cluster} />
      ) : floor.stocksTotal === 0 ? (
        <div class="empty" data-testid="no-stocks">
          <p>Nothing is on offer yet.</p>
          <p>
            <code>npx bazaar list FishCo 17.99 600</code> lists a stock.
          </p>
        </div>
      ) : rows.length === 0 && isSearching ? (
        <div class="empty" role="status" data-testid="none-found">
          <p>
            {isMore ? "Looking …" : `No stock has “${search.trim().slice(0, 64)}” in its name.`}
          </p>
        </div>
      ) : (
        <Rows
          key={search}
          rows={rows}
          trails={floor.trails}
          isMore={isMore}
          more={more}
          onSeen={setSeen}
          chosen={chosen}
          onChoose={onChoose}
        />
      )}
      <p class="hidden" role="status">
        {isSearching && rows.length > 0 && `${isMore ? "more than " : ""}${rows.length} found`}
      </p>
    </section>
  );
}

interface RowsProps {
  readonly rows: readonly StockRow[];
  readonly trails: Floor["trails"];
  readonly isMore: boolean;
  readonly more: () => void;
  readonly onSeen: (seen: readonly [string, string]) => void;
  readonly chosen: string | null;
  readonly onChoose: (name: string) => void;
}

function Rows({ rows, trails, isMore, more, onSeen, chosen, onChoose }: RowsProps) {
  const place = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600, rowHeight: ROW_HEIGHT_GUESS });
  /** Where the Tab key stops. */
  const [active, setActive] = useState<string | null>(null);
  const isMoving = useRef(false);
  const isLong = rows.length >= WINDOW_FROM;
  const stop = Math.max(0, indexOf(rows, active ?? chosen));
  const first = Math.max(0, Math.floor(view.top / view.rowHeight) - SPARE_ROWS);
  const end = Math.ceil((view.top + view.height) / view.rowHeight) + SPARE_ROWS;
  const shown = isLong ? windowOf(rows.length, first, end, stop) : rows.map((_, index) => index);

  const look = () => {
    const element = place.current;
    if (!element) return;
    const row = element.querySelector("tbody tr[aria-rowindex]");
    const rowHeight = row?.getBoundingClientRect().height || ROW_HEIGHT_GUESS;
    const { scrollTop: top, clientHeight: height } = element;
    setView((before) =>
      before.top === top && before.height === height && before.rowHeight === rowHeight
        ? before
        : { top, height, rowHeight },
    );
  };
  useLayoutEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    if (place.current) observer.observe(place.current);
    return () => observer.disconnect();
  }, [isLong]);

  const firstSeen = rows[Math.min(first, rows.length - 1)]?.name ?? "";
  const lastSeen = rows[Math.min(end, rows.length) - 1]?.name ?? "";
  useEffect(() => onSeen([firstSeen, lastSeen]), [firstSeen, lastSeen]);
  useEffect(() => {
    if (isMore && (!isLong || end >= rows.length)) more();
  });

  useLayoutEffect(() => {
    if (!isMoving.current) return;
    isMoving.current = false;
    place.current?.querySelector<HTMLElement>('.stock-name[tabindex="0"]')?.focus();
  }, [active]);
  const go = (event: KeyboardEvent) => {
    const to = { ArrowDown: stop + 1, ArrowUp: stop - 1, PageDown: stop + KEY_PAGE };
    const ends = { PageUp: stop - KEY_PAGE, Home: 0, End: rows.length - 1 };
    const wanted = { ...to, ...ends }[event.key];
    const row = rows[Math.max(0, Math.min(rows.length - 1, wanted ?? -1))];
    if (wanted === undefined || row === undefined) return;
    event.preventDefault();
    isMoving.current = row.name !== rows[stop]?.name;
    setActive(row.name);
  };

  return (
    <section class="scroll" aria-label="Stocks" ref={place} onScroll={look}>
      <table
        class={`stocks ${isLong ? "is-long" : ""}`}
        aria-rowcount={isMore ? -1 : rows.length + 1}
      >
        <thead>
          <tr aria-rowindex={1}>
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
        <tbody onKeyDown={go}>
          {shown.flatMap((index, nth) => {
            const row = rows[index];
            if (row === undefined) return [];
            const gap = index - (shown[nth - 1] ?? -1) - 1;
            return [
              gap > 0 && <Gap key={`before ${row.name}`} height={gap * view.rowHeight} />,
              <Row
                key={row.name}
                row={row}
                index={index}
                trail={trails.get(row.name) ?? []}
                isChosen={row.name === chosen}
                isStop={index === stop}
                onFocus={setActive}
                onChoose={onChoose}
              />,
            ];
          })}
          <Gap height={(rows.length - 1 - (shown.at(-1) ?? -1)) * view.rowHeight} />
        </tbody>
      </table>
      {isMore && <p class="quiet">More stocks are being read …</p>}
    </section>
  );
}

/** In the place of rows that aren't there. */
function Gap({ height }: { height: number }) {
  if (height <= 0) return null;
  return (
    <tr class="gap">
      <td colSpan={5} style={{ height: `${height}px` }} />
    </tr>
  );
}

/** Those from `first` to before `end`, and the one that has or gets the focus. */
function windowOf(length: number, first: number, end: number, stop: number): readonly number[] {
  const shown: number[] = [];
  for (let index = Math.min(first, length); index < Math.min(end, length); index += 1) {
    shown.push(index);
  }
  if (stop < first) shown.unshift(stop);
  else if (stop >= end) shown.push(stop);
  return shown;
}

/** -1 for one that isn't listed. */
function indexOf(rows: readonly StockRow[], name: string | null): number {
  return name === null ? -1 : rows.findIndex((row) => row.name === name);
}

interface RowProps {
  readonly row: StockRow;
  readonly index: number;
  readonly trail: readonly number[];
  readonly isChosen: boolean;
  readonly isStop: boolean;
  readonly onFocus: (name: string) => void;
  readonly onChoose: (name: string) => void;
}

function Row({ row, index, trail, isChosen, isStop, onFocus, onChoose }: RowProps) {
  const { name, quantity, volume } = row;
  const level = quantity === 0 ? "sold-out" : "";
  const quantityBefore = useRef(quantity);
  const isNews = quantity !== quantityBefore.current;
  return (
    <tr class={isChosen ? "is-chosen" : ""} aria-rowindex={index + 2}>
      <th scope="row">
        <button
          type="button"
          class="stock-name"
          aria-pressed={isChosen}
          tabIndex={isStop ? 0 : -1}
          title={name}
          onFocus={() => onFocus(name)}
          onClick={() => onChoose(name)}
        >
          <span class="stock-word">{name}</span>
          <span class="narrow-only under">{price(row.price)}</span>
        </button>
      </th>
      <td class="number wide-only">{price(row.price)}</td>
      <td class={`number strong ${level}`}>
        {/* A new key starts the flash again; a row that is scrolled to is no news. */}
        <span key={quantity} class={isNews ? "flash" : ""}>
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
