import { defineConfig } from "vitest/config";

// unit: beside the source, no processes, no ports outside loopback.
// system: real processes; one file at a time, since they share two cores.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "simulation/**/*.test.ts", "test/repository/**/*.test.ts"],
        },
      },
      {
        test: {
          name: "system",
          include: ["test/system/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
