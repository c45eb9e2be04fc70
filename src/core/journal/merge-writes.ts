// Several writes as one transaction.

import type { Write } from "../replication/events.ts";
import type { Entry } from "../replication/types.ts";

/** One write with the effect of carrying out `writes` in order. */
export function mergeWrites(writes: readonly Write[]): Write {
  if (writes.length === 1 && writes[0]) return writes[0];
  let hardState: Write["hardState"];
  let truncateFrom: number | undefined;
  let entries: Entry[] = [];
  for (const write of writes) {
    hardState = write.hardState ?? hardState;
    const from = write.truncateFrom;
    if (from !== undefined) {
      // What an earlier write of this batch added and this one drops never reaches the disk.
      const firstAdded = entries[0]?.position;
      entries = entries.filter((entry) => entry.position < from);
      if (firstAdded === undefined || from < firstAdded) {
        truncateFrom = Math.min(truncateFrom ?? from, from);
      }
    }
    if (write.entries) entries.push(...write.entries);
  }
  return {
    ...(hardState ? { hardState } : {}),
    ...(truncateFrom !== undefined ? { truncateFrom } : {}),
    ...(entries.length > 0 ? { entries } : {}),
  };
}
