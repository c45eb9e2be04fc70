import { expect, test } from "vitest";
import { DataFileError, DataFileMissing, DataFileTooNew, JournalCorrupt } from "./errors.ts";

test("an error is one line that names the file and says what to do", () => {
  const errors = [
    new JournalCorrupt("order.db", 7, "the checksum is wrong"),
    new JournalCorrupt("order.db", null, "the header is lost"),
    new DataFileMissing("order.db", "order-9094"),
    new DataFileTooNew("order.db", 3, 1),
  ];
  for (const error of errors) {
    expect(error).toBeInstanceOf(DataFileError);
    expect(error.message).toMatch(/^order\.db[^\n]*(bazaar format|run a newer version)/);
  }
  expect(errors[0]?.message).toContain("position 7");
});
