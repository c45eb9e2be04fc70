import { expect, test } from "vitest";
import type { Hashes } from "../../core/journal/entries.ts";
import { JournalReader } from "../../core/journal/reader.ts";
import { journalFolder } from "./journal.ts";
import { segmentsIn } from "./segment-files.ts";
import { entry, journalFile, opened } from "./test-files.ts";

test("entries read one by one, backwards, are found without reading all before them each time", () => {
  const path = journalFile();
  const journal = opened(path, { segmentBytes: 1 << 21, syncsEachWrite: false });
  const last = 3_000;
  for (let position = 1; position <= last; position++) {
    journal.write({ entries: [entry(position, "x".repeat(500))] });
  }
  journal.close();
  let read = 0;
  const segments = segmentsIn(journalFolder(path));
  const hashes: Hashes = {
    ...segments.hashes,
    crc32(bytes, seed) {
      read += bytes.length;
      return segments.hashes.crc32(bytes, seed);
    },
  };
  const reader = new JournalReader({ ...segments, hashes });
  for (let position = last; position > last - 100; position--) {
    expect(reader.entriesBetween(position - 1, position, 1)).toMatchObject([{ position }]);
  }
  reader.close();
  expect(read).toBeLessThan(12_000_000);
});
