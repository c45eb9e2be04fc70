// What a starting replica says about itself and its sync, worded as in the
// seed's logs. It only watches: fetching what was missed is the log's matter,
// and begins when a leader makes contact.

import type { Logger } from "pino";
import type { FoundLeader } from "./leader-search.ts";

export interface StartupSyncOptions {
  readonly log: Logger;
  /** Number of the newest order that this replica holds. */
  readonly newestNumber: () => number;
  /** Everything up to here is committed and was delivered. */
  readonly deliveredPosition: () => number;
  /** Called once when the start is over. */
  readonly onReady: () => void;
}

export class StartupSync {
  readonly #options: StartupSyncOptions;
  /** Position that the sync must reach; null while no leader was found, and after the end. */
  #target: number | null = null;

  constructor(options: StartupSyncOptions) {
    this.#options = options;
    const { log, newestNumber } = options;
    log.info("Existing Order Log File Found.");
    log.info(`TXN_NUM is initialized as ${newestNumber()}`);
    log.info("Loading order log");
    log.info("Order replica just started. Trying to sync");
    log.info("Checking for leader at startup time");
  }

  /** The search for a leader is over. */
  searched(leader: FoundLeader | null): void {
    const { log } = this.#options;
    if (leader === null) {
      log.info("No leader found at startup time, no sync required");
      this.#ready();
      return;
    }
    log.info(`Leader found at startup time, syncing... ${leader.replica}`);
    log.info(`Calling get_order_log_diff from ${leader.replica} order leader`);
    this.#target = leader.commitPosition;
    this.tick();
  }

  /** Every beat, and when entries were delivered. */
  tick(): void {
    const { log, deliveredPosition, newestNumber } = this.#options;
    if (this.#target === null || deliveredPosition() < this.#target) return;
    this.#target = null;
    log.info("Sync done");
    log.info(`Updated TXN_NUM is ${newestNumber()}`);
    this.#ready();
  }

  #ready(): void {
    this.#options.log.info("Order service ready");
    this.#options.onReady();
  }
}
