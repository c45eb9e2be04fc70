// The command line as a program: what it lists, and how it fails.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { isOk } from "../../lab/http.ts";
import { freePorts } from "../../lab/ports.ts";
import { until } from "../../lab/wait.ts";
import { readConfigFile, STOCKS_SHIPPED } from "./command.ts";
import { buildProgram, commanderLine, statusWithoutReader } from "./program.ts";

// Processes and disks take longer when the machine does other things besides.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const MAIN = join(import.meta.dirname, "../../bin/bazaar.js");
const folder = mkdtempSync(join(tmpdir(), "bazaar-program-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs `bazaar ARGS` to its end in an empty folder. */
function bazaar(...args: readonly string[]) {
  return new Promise<{ status: number | null; out: string; err: string }>((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder });
    let [out, err] = ["", ""];
    child.stdout.on("data", (text) => {
      out += String(text);
    });
    child.stderr.on("data", (text) => {
      err += String(text);
    });
    child.once("close", (status) => resolve({ status, out, err }));
  });
}

test("every command but evaluate takes the options of a cluster", async () => {
  const program = await buildProgram(undefined);
  expect(program.commands.map((command) => command.name())).toEqual([
    "up",
    "order",
    "catalog",
    "frontend",
    "format",
    "certs",
    "status",
    "verify",
    "orders",
    "list",
    "adjust",
    "key",
    "client",
    "evaluate",
  ]);
  // It makes a cluster of its own, which no option may turn into somebody else's.
  const others = program.commands
    .flatMap((command) => (command.commands.length > 0 ? command.commands : [command]))
    .filter((command) => command.name() !== "evaluate");
  expect(others).toHaveLength(15);
  for (const command of others) {
    const help = command.helpInformation();
    expect(help).toContain("--data <DIR>");
    expect(help).toContain("--config <FILE>");
    expect(help).toContain("--no-cache");
  }
});

test("a process of a role loads only the role's command", async () => {
  const { commands } = await buildProgram("order");
  expect(commands.map((command) => command.name())).toEqual(["order"]);
  expect((await buildProgram("constructor")).commands.length).toBeGreaterThan(1);
});

test("the program's file is executable", () => {
  expect(statSync(MAIN).mode & 0o111).toBe(0o111);
});

test("the first stocks are in the package", () => {
  expect(statSync(STOCKS_SHIPPED).isFile()).toBe(true);
});

test("--help is printed to stdout with exit status 0", async () => {
  const { status, out, err } = await bazaar("--help");
  expect([status, err]).toEqual([0, ""]);
  expect(out).toMatch(/^ {2}up .*everything on this machine/m);
});

test.each([
  [["up", "--prot=1"], "unknown option '--prot=1' (Did you mean --port?)"],
  [["upp"], "unknown command 'upp' (Did you mean up?)"],
  [["order"], "missing required argument 'ID'; see \"npx bazaar --help\""],
  [["list", "FishCo", "1", "2", "3"], "too many arguments"],
  [["up", "--port=none"], '--port must be a port, a whole number from 1 to 65535, not "none"'],
  [["order", "no-id"], 'a port is a whole number from 1 to 65535, not "no-id"'],
  [["status", "--config=missing.json"], "missing.json does not exist"],
  [["status"], "secret is missing"],
])("%j is answered with one line and exit status 1", async (args, line) => {
  const { status, out, err } = await bazaar(...args);
  expect(err).toContain(line);
  expect(err).toMatch(/^bazaar: [^\n]+\n$/);
  expect([status, out]).toEqual([1, ""]);
});

test("a program that waits for what can't come any more ends with one line and status 1", () => {
  const program = JSON.stringify(new URL("./program.ts", import.meta.url).href);
  const script = `import { failWhenIdle } from ${program}; failWhenIdle(); await new Promise(() => {});`;
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", script]);
  expect(ended.status).toBe(1);
  expect(String(ended.stderr)).toMatch(/^bazaar: ended early[^\n]*\n$/);
});

test("a reader that closes the pipe early causes no error", async () => {
  const child = spawn(process.execPath, [MAIN, "--help"], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  let err = "";
  child.stderr.on("data", (text) => {
    err += String(text);
  });
  const status = await new Promise((resolve) => child.once("exit", resolve));
  expect([status, err]).toEqual([0, ""]);
});

test("a closed terminal ends a command, and neither a role nor up", () => {
  expect(statusWithoutReader("order", "EPIPE")).toBeNull();
  expect(statusWithoutReader("up", "EIO")).toBeNull();
  expect(statusWithoutReader("orders", "EPIPE")).toBe(0);
  expect(statusWithoutReader("orders", "ENOSPC")).toBe(1);
});

test("a configuration file that isn't JSON is refused by its name", () => {
  const path = join(folder, "bazaar.json");
  writeFileSync(path, '{"port": }');
  expect(() => readConfigFile(path)).toThrow(/^bazaar\.json is not JSON: /);
  writeFileSync(path, '{"port": 1}');
  expect(readConfigFile(path)).toEqual({ path, content: { port: 1 } });
});

test("commander's two lines of an error become one", () => {
  expect(commanderLine("error: unknown option '--x'\n(Did you mean --y?)\n")).toBe(
    "bazaar: unknown option '--x' (Did you mean --y?)\n",
  );
});

test("what npm ci keeps compiled is what a role loads", async () => {
  const compiled = join(folder, "compiled");
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
  const built = spawnSync("npm", ["run", "build:cache"], { cwd: join(MAIN, "../.."), env });
  expect(built.status).toBe(0);
  const modules = () =>
    readdirSync(compiled, { recursive: true, withFileTypes: true }).filter((it) => it.isFile());
  const before = modules().length;
  expect(before).toBeGreaterThan(100);
  for (const role of [["order", "9090"], ["catalog"], ["frontend"]]) {
    // It loads all of itself, and then lacks the secret of a cluster.
    const { status } = spawnSync(process.execPath, [MAIN, ...role], { cwd: folder, env });
    expect(status).toBe(1);
  }
  expect(modules().length - before).toBeLessThan(10); // what tells of the failure
  const [port] = await freePorts(1);
  const settings = [`--data=${join(folder, "formatted")}`, `--port=${port}`];
  expect(spawnSync(process.execPath, [MAIN, "format", ...settings], { cwd: folder }).status).toBe(
    0,
  );
  const failing = modules().length;
  const frontend = spawn(process.execPath, [MAIN, "frontend", ...settings], { cwd: folder, env });
  const ended = once(frontend, "exit");
  await until("it listens", () => isOk(`http://127.0.0.1:${port}/healthz`), 60_000);
  frontend.kill();
  await ended;
  expect(modules().length - failing).toBeLessThan(10); // what stops it
}, 180_000);
