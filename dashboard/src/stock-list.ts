// The stocks that the market shows. The first 500 by name come with the events, live;
// further ones, and those that a search finds among them, are asked for page by
// page as somebody scrolls, and asked for again while they are looked at.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { BazaarClient, Stock, StockPage } from "../../src/client/index.ts";
import type { Floor, StockRow } from "./model.ts";

/** Stocks in a page, more than are seen at once. */
const PAGE_STOCKS = 100;
/** Names that the ticket suggests. */
const SUGGESTED_MAX = 12;
/** A search waits for the next letter, milliseconds. */
const TYPING_MS = 150;
/** Between two looks at what is on the screen, milliseconds. */
const AGAIN_MS = 2_000;
/** After a question without an answer, milliseconds. */
const RETRY_MS = 1_000;

export interface StockList {
  /** By name. */
  readonly rows: readonly StockRow[];
  /** There are more, or may be: `more` asks for them. */
  readonly isMore: boolean;
  readonly more: () => void;
}

/** Asked-for stocks after `after`. */
interface Page {
  readonly after: string;
  readonly rows: readonly StockRow[];
  readonly next: string | null;
}

interface Asked {
  readonly wanted: string;
  readonly pages: readonly Page[];
}

const NO_PAGES: readonly Page[] = [];

/**
 * All stocks whose names have `search` in them, regardless of case. `seen`: the first and the last
 * name on the screen.
 */
export function useStockList(
  bazaar: BazaarClient,
  floor: Pick<Floor, "stocks" | "stocksTotal">,
  search: string,
  seen: readonly [string, string] | null,
): StockList {
  const wanted = search.trim().toLowerCase();
  const live = useMemo(() => {
    const rows = [...(floor.stocks?.values() ?? [])];
    return wanted === "" ? rows : rows.filter(({ name }) => name.toLowerCase().includes(wanted));
  }, [floor.stocks, wanted]);
  const lastLive = [...(floor.stocks?.keys() ?? [])].at(-1) ?? "";
  const isWhole = floor.stocks === null || floor.stocks.size >= floor.stocksTotal;
  const [asked, setAsked] = useState<Asked>({ wanted: "", pages: [] });
  const { pages } = asked.wanted === wanted ? asked : { pages: NO_PAGES };
  const setPages = (change: (before: readonly Page[]) => readonly Page[]) =>
    setAsked((before) => ({
      wanted,
      pages: change(before.wanted === wanted ? before.pages : NO_PAGES),
    }));
  const asking = useRef<AbortController | null>(null);

  const ask = async (after: string, through: string | null, signal: AbortSignal): Promise<Page> => {
    const page = await read(bazaar, wanted, after, signal, (stocks, next) =>
      through === null ? stocks.length >= PAGE_STOCKS : next >= through,
    );
    const rows = page.stocks.map((stock) => ({ ...stock, volume: null, trades: null }));
    if (through === null) return { after, rows, next: page.next };
    return { after, rows: rows.filter(({ name }) => name <= through), next: through };
  };

  const next = isWhole ? null : pages.length === 0 ? lastLive : (pages.at(-1)?.next ?? null);
  const more = () => {
    if (next === null || asking.current !== null || !isSearchable(wanted)) return;
    const controller = new AbortController();
    asking.current = controller;
    const over = () => {
      if (asking.current === controller) asking.current = null;
    };
    ask(next, null, controller.signal).then(
      (page) => {
        over();
        if (controller.signal.aborted) return;
        // Once only: it may have been asked for twice before it was shown.
        const isThere = ({ after }: Page) => after === page.after;
        setPages((before) => (before.some(isThere) ? before : [...before, page]));
      },
      () => setTimeout(over, RETRY_MS),
    );
  };

  // Another search begins anew.
  useEffect(() => {
    const timer = setTimeout(() => wanted !== "" && more(), TYPING_MS);
    return () => {
      clearTimeout(timer);
      asking.current?.abort();
      asking.current = null;
    };
  }, [wanted, isWhole]);

  // What is on the screen changes under nobody's eyes otherwise.
  const [first, last] = seen ?? ["", ""];
  useEffect(() => {
    const controller = new AbortController();
    const again = async () => {
      const shown = pages.filter(
        ({ rows }) => (rows.at(-1)?.name ?? "") >= first && (rows[0]?.name ?? "~") <= last,
      );
      for (const { after, next: through } of shown) {
        const page = await ask(after, through, controller.signal);
        setPages((before) => before.map((each) => (each.after === after ? page : each)));
      }
    };
    const timer = setInterval(() => void again().catch(() => {}), AGAIN_MS);
    return () => {
      clearInterval(timer);
      controller.abort();
    };
  }, [pages, first, last, wanted]);

  const rows = useMemo(
    () => (pages.length === 0 ? live : [...live, ...pages.flatMap((page) => page.rows)]),
    [live, pages],
  );
  return { rows, isMore: next !== null && isSearchable(wanted), more };
}

/**
 * Stocks after `after` that have `wanted` in their names, page by page: a page may be empty, and
 * not the last. Until there are enough, or no more.
 */
async function read(
  bazaar: BazaarClient,
  wanted: string,
  after: string,
  signal: AbortSignal,
  isEnough: (stocks: readonly Stock[], next: string) => boolean,
): Promise<StockPage> {
  const stocks: Stock[] = [];
  let next: string | null = after;
  do {
    const page: StockPage = await bazaar.stocksPage(
      {
        ...(next !== "" && { after: next }),
        limit: PAGE_STOCKS,
        ...(wanted !== "" && { containing: wanted }),
      },
      { signal },
    );
    stocks.push(...page.stocks);
    next = page.next;
  } while (next !== null && !isEnough(stocks, next));
  return { stocks, next };
}

/** What names are made of: the bazaar refuses to look for anything else, and finds nothing by it. */
function isSearchable(wanted: string): boolean {
  return /^[a-z]{0,64}$/.test(wanted);
}

/** Names that have `part` in them, a few; none while it is null. */
export function useSuggestions(bazaar: BazaarClient, part: string | null): readonly string[] {
  const [names, setNames] = useState<readonly string[]>([]);
  useAsked(
    part !== null && part !== "" && isSearchable(part.toLowerCase()) ? part : null,
    async (wanted, signal) => {
      const { stocks } = await bazaar.stocksPage(
        { containing: wanted, limit: SUGGESTED_MAX },
        { signal },
      );
      setNames(stocks.map(({ name }) => name));
    },
  );
  return names;
}

/** The stock of this name, asked for where it isn't among those that come with the events. */
export function useStock(
  bazaar: BazaarClient,
  stocks: ReadonlyMap<string, Stock> | null,
  name: string,
): Stock | undefined {
  const live = stocks?.get(name);
  const [asked, setAsked] = useState<Stock | undefined>(undefined);
  const isAsked = live === undefined && stocks !== null && name !== "";
  useAsked(isAsked && isSearchable(name.toLowerCase()) ? name : null, async (wanted, signal) => {
    const isWanted = (stock: Stock) => stock.name === wanted;
    // Not a lookup: who looks on changes no number of the cache.
    const { stocks: found } = await read(bazaar, wanted, "", signal, (read) => read.some(isWanted));
    setAsked(found.find(isWanted));
  });
  return live ?? (asked?.name === name ? asked : undefined);
}

/** Asks once `wanted` has stayed the same for a moment. */
function useAsked(
  wanted: string | null,
  ask: (wanted: string, signal: AbortSignal) => Promise<void>,
): void {
  useEffect(() => {
    if (wanted === null) return;
    const controller = new AbortController();
    const timer = setTimeout(() => void ask(wanted, controller.signal).catch(() => {}), TYPING_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [wanted]);
}
