import { expect, test } from "vitest";
import { NAMES_PER_CALL_MAX } from "../contract.ts";
import { LookupBatch } from "./lookup-batch.ts";

function collecting() {
  const sent: (readonly { readonly name: string }[])[] = [];
  return { sent, batch: new LookupBatch<{ readonly name: string }>((items) => sent.push(items)) };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("what is asked in one turn doesn't travel in many calls", async () => {
  const { sent, batch } = collecting();
  const items = ["FishCo", "BoarCo", "FishCo"].map((name) => ({ name }));
  for (const item of items) batch.add(item);
  expect(sent).toEqual([]);
  await turn();
  expect(sent).toEqual([items]);
  batch.add({ name: "GameStart" });
  await turn();
  expect(sent).toEqual([items, [{ name: "GameStart" }]]);
});

test("a call names no more stocks than the catalog takes", async () => {
  const { sent, batch } = collecting();
  for (let i = 0; i <= NAMES_PER_CALL_MAX; i++) batch.add({ name: "FishCo" });
  await turn();
  expect(sent.map((items) => items.length)).toEqual([NAMES_PER_CALL_MAX, 1]);
});
