import { expect, test } from "vitest";
import { requestKey } from "./request-key.ts";

const UUID = "01890000-0000-7abc-8def-0123456789ab";

test("a UUID as text takes twice the room, for every order, for ever", () => {
  expect(requestKey(UUID)).toEqual(Buffer.from("0189000000007abc8def0123456789ab", "hex"));
});

test("two ids with one key would share an answer", () => {
  const others = [
    UUID.toUpperCase(),
    UUID.replaceAll("-", ""),
    `${UUID} `,
    `{${UUID}}`,
    UUID.replace("-", "_"),
    UUID.replace("a", "g"),
    "0".repeat(36),
    "k",
  ];
  for (const id of others) expect(requestKey(id)).toBe(id);
});
