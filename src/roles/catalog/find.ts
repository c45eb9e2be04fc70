// The catalog's `find`: one stock, answered in the seed's words as GET
// /stocks/NAME is. A catalog that can't answer freshly itself asks the leader.

import { isStockName } from "../../core/market/content.ts";
import type { Stock } from "../../core/market/types.ts";
import type { FindResult } from "../contract.ts";
import { unknownStockText } from "../words.ts";
import type { CatalogService } from "./catalog-service.ts";
import type { LeaderQuestions } from "./leader-questions.ts";

export interface FindOptions {
  readonly service: Pick<CatalogService, "lookup">;
  readonly leader: LeaderQuestions;
}

/** Never rejects. */
export async function find({ service, leader }: FindOptions, name: string): Promise<FindResult> {
  if (!isStockName(name)) return resultOf(name, null);
  const found = await service.lookup([name]);
  if (found.kind === "stocks") return resultOf(name, found.stocks[0]);
  const asked = await leader.ask({ kind: "lookup", name });
  if (asked.kind === "stock") return resultOf(name, asked.stock);
  const message =
    asked.kind === "too-many"
      ? "Too many questions at once, try again"
      : "No order leader answered in time, ask again";
  return { status: 503, message };
}

/** The fields in the seed's order. */
function resultOf(asked: string, stock: Stock | null | undefined): FindResult {
  if (!stock) return { status: 400, message: unknownStockText(asked) };
  const { name, price, quantity } = stock;
  return { status: 200, data: { name, price, quantity } };
}
