// The kinds of test that vitest runs.
//
// unit: beside the source, one process, no network but loopback; and the tests
// about the repository itself.
// system: a real cluster in processes of its own. One file at a time, since the
// clusters would take the processors from each other and their time limits mean
// something.
// system-postgres: those of them that are about trades, crashes and what outlives
// them, again with PostgreSQL under the log.
// system-secured: some of them once more with TLS, certificates between processes,
// and a key that every client sends.
// browser: the page of such a cluster, in a real browser.

import { defineConfig } from "vitest/config";

const SYSTEM = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 60_000 };
const ON_EACH_ENGINE = [
  "crashes",
  "trading",
  "retries",
  "caching",
  "restarts",
  "torture",
  "documented",
];

const ALSO_SECURED = ["trading", "crashes", "retries", "caching"];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "src/**/*.test.ts",
            "dashboard/src/**/*.test.ts",
            "simulation/**/*.test.ts",
            "bench/**/*.test.ts",
            "torture/**/*.test.ts",
            "lab/**/*.test.ts",
            "test/repository/**/*.test.ts",
          ],
        },
      },
      {
        test: {
          ...SYSTEM,
          name: "system",
          include: ["test/system/**/*.test.ts"],
          provide: { engine: "builtin" },
        },
      },
      {
        test: {
          ...SYSTEM,
          name: "system-postgres",
          include: ON_EACH_ENGINE.map((name) => `test/system/${name}.test.ts`),
          provide: { engine: "postgres" },
        },
      },
      {
        test: {
          ...SYSTEM,
          name: "system-secured",
          include: ALSO_SECURED.map((name) => `test/system/${name}.test.ts`),
          provide: { engine: "builtin" },
          env: { BAZAAR_TEST_SECURED: "1" },
        },
      },
      {
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 20_000 } },
          provide: { engine: "builtin" },
        },
      },
    ],
  },
});
