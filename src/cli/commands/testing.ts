// What the tests of commands share: a data folder with a secret, processes of a
// made-up bazaar on real ports, and a run of one command in this process.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { pino } from "pino";
import { vi } from "vitest";
import { listen } from "../../io/rpc/listen.ts";
import { makeSecret } from "../../io/rpc/secret.ts";
import type { Contract, Handlers, Listener } from "../../io/rpc/types.ts";
import { membersOf } from "../../roles/config.ts";
import { resolveConfig } from "../resolve-config.ts";

/** How a command ended. */
export interface Ended {
  readonly stdout: string;
  readonly status: number;
}

/** Everything made through it is gone after close(). */
export class Bench {
  readonly data = mkdtempSync(join(tmpdir(), "bazaar-cli-"));
  readonly #secret = makeSecret(this.data);
  readonly #listeners: Listener[] = [];
  /** That of whoever asks: the replicas of the command that runs. */
  readonly cluster = { name: "test", members: [] as number[] };

  /** A process that serves some calls, a replica unless named otherwise; returns its port. */
  async serve<C extends Contract>(
    contract: C,
    handlers: Handlers<C>,
    name?: string,
  ): Promise<number> {
    const identity = { role: "order" as const, name: "", cluster: this.cluster };
    const listener = await listen({
      host: "127.0.0.1",
      port: 0,
      credentials: { secret: this.#secret, certificates: null },
      identity,
      contract,
      handlers,
      log: pino({ level: "silent" }),
    });
    identity.name = name ?? `order-${listener.port}`;
    this.#listeners.push(listener);
    return listener.port;
  }

  /** Runs a command to its end. Rejects with what it throws. */
  async run(command: Command, ...args: readonly string[]): Promise<Ended> {
    let stdout = "";
    const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      stdout += String(text);
      return true;
    });
    const before = process.exitCode;
    process.exitCode = 0;
    const replicas = args.find((arg) => arg.startsWith("--replicas="))?.slice(11);
    this.cluster.members = membersOf(
      resolveConfig({
        flags: { ...(replicas !== undefined && { replicas }) },
        environment: {},
        file: null,
        cwd: "/",
        stocksShipped: "",
      }),
    );
    try {
      command.exitOverride().configureOutput({ writeErr: () => {} });
      await command.parseAsync([...args, `--data=${this.data}`], { from: "user" });
      return { stdout, status: Number(process.exitCode) };
    } finally {
      process.exitCode = before;
      write.mockRestore();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    rmSync(this.data, { recursive: true });
  }
}
