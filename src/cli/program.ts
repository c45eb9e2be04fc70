// The command line as a whole: its commands, and how each ends.
//
// Whatever goes wrong ends in one line on stderr and exit status 1.

import { Command, CommanderError } from "commander";
import about from "../../package.json" with { type: "json" };
import { tellFailure } from "./misconfiguration.ts";
import { withoutPasswords } from "./user-error.ts";

/** The commands, in the order of the help. Each is loaded when it is run: a replica has no use for the others. */
const COMMANDS = {
  up: async () => (await import("./commands/up.ts")).upCommand(),
  order: async () => (await import("./commands/order.ts")).orderCommand(),
  catalog: async () => (await import("./commands/catalog.ts")).catalogCommand(),
  frontend: async () => (await import("./commands/frontend.ts")).frontendCommand(),
  format: async () => (await import("./commands/format.ts")).formatCommand(),
  certs: async () => (await import("./commands/certs.ts")).certsCommand(),
  status: async () => (await import("./commands/status.ts")).statusCommand(),
  verify: async () => (await import("./commands/verify.ts")).verifyCommand(),
  orders: async () => (await import("./commands/orders.ts")).ordersCommand(),
  list: async () => (await import("./commands/list.ts")).listCommand(),
  adjust: async () => (await import("./commands/adjust.ts")).adjustCommand(),
  key: async () => (await import("./commands/key.ts")).keyCommand(),
  client: async () => (await import("./commands/client.ts")).clientCommand(),
  evaluate: async () => (await import("./commands/evaluate.ts")).evaluateCommand(),
} as const satisfies Readonly<Record<string, () => Promise<Command>>>;

/** The program with the command that `name` names; with all of them when it names none, for the help and for hints. */
export async function buildProgram(name: string | undefined): Promise<Command> {
  const { description, version } = about;
  const program = new Command("bazaar")
    .description(description)
    .version(version)
    .helpCommand(false)
    .enablePositionalOptions();
  const named = Object.entries(COMMANDS).filter(([known]) => known === name);
  const loaders = named.length > 0 ? named : Object.entries(COMMANDS);
  const commands = await Promise.all(loaders.map(([, load]) => load()));
  const nested = commands.flatMap((command) => command.commands);
  for (const command of [program, ...commands, ...nested]) {
    command.exitOverride();
    command.configureOutput({ outputError: (text, write) => write(commanderLine(text)) });
  }
  for (const command of commands) program.addCommand(command);
  return program;
}

/** Runs the command in `args` to its end, and ends the process with its exit status. */
export async function runProgram(args: readonly string[]): Promise<void> {
  const [name] = args;
  failWhenIdle();
  for (const output of [process.stdout, process.stderr]) {
    output.on("error", (error: NodeJS.ErrnoException) => {
      const status = statusWithoutReader(name, error.code);
      if (status !== null) process.exit(status);
    });
  }
  try {
    const program = await buildProgram(name);
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode;
    } else {
      await tellFailure(error);
      process.exitCode = 1;
    }
  }
  // Nothing may keep a finished command: what is written is written first.
  process.stdout.write("", () => process.exit());
}

/**
 * Ends the process when it waits for something that can't come any more, with
 * status 1 and one line, where Node.js would warn of its module and end with 13.
 */
export function failWhenIdle(): void {
  process.once("beforeExit", () => {
    process.stderr.write(
      "bazaar: ended early, with nothing left to wait for: a fault of its own\n",
    );
    process.exit(1);
  });
}

/** Commander's errors, which may come in two lines, in one, and with what to do. */
export function commanderLine(text: string): string {
  const line = withoutPasswords(text)
    .trim()
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ");
  const hint = line.includes("Did you mean") ? "" : '; see "npx bazaar --help"';
  return `bazaar: ${line}${hint}\n`;
}

/** Commands that do their work whoever listens. */
const SERVING: ReadonlySet<unknown> = new Set(["up", "order", "catalog", "frontend"]);

/**
 * What a command ends with when its output can't be written: the reader is gone
 * (`| head`), and whoever worked for it is done. Null: it goes on.
 */
export function statusWithoutReader(
  command: string | undefined,
  code: string | undefined,
): number | null {
  if (SERVING.has(command)) return null;
  return code === "EPIPE" ? 0 : 1;
}
