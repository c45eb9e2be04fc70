import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UnusablePath } from "../private-files.ts";
import { createLogger } from "./logger.ts";
import { RollingFile } from "./rolling-file.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "logging-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function lines(path: string): string[] {
  return readFileSync(path, "utf8").split("\n").slice(0, -1);
}

function output() {
  const texts: string[] = [];
  return { texts, write: (text: string) => texts.push(text) };
}

test("an event is one JSON line, in the file as soon as it was logged", async () => {
  const file = join(directory, "logs", "order-9094.log");
  const log = await createLogger({ name: "order-9094", level: "info", file });
  log.info({ number: 27 }, "Order service ready");
  log.error({ err: new Error("one\ntwo") }, "Multi-\nline");
  const events = lines(file).map((line) => JSON.parse(line));
  expect(events).toMatchObject([
    { level: "info", role: "order-9094", pid: process.pid, msg: "Order service ready", number: 27 },
    { level: "error", msg: "Multi-\nline", err: { message: "one\ntwo" } },
  ]);
  for (const { time } of events) expect(new Date(time).toISOString()).toBe(time);
});

test("what is below the level isn't logged", async () => {
  const file = join(directory, "catalog.log");
  const log = await createLogger({ name: "catalog", level: "info", file });
  log.debug("Calling lookup service");
  log.info("Catalog service ready");
  log.level = "debug";
  log.debug("Adding lookup response to cache");
  expect(lines(file).map((line) => JSON.parse(line).msg)).toEqual([
    "Catalog service ready",
    "Adding lookup response to cache",
  ]);
});

test("a restarted process goes on in the same file", async () => {
  const file = join(directory, "catalog.log");
  for (const msg of ["first", "second"]) {
    (await createLogger({ name: "catalog", level: "info", file })).info(msg);
  }
  expect(lines(file)).toHaveLength(2);
});

test("the terminal gets readable lines, the file JSON", async () => {
  const file = join(directory, "frontend.log");
  const stdout = output();
  const log = await createLogger({ name: "frontend", level: "info", file, pretty: true, stdout });
  log.info({ leader: 9094 }, "Order service leader found - 9094 order");
  expect(stdout.texts).toHaveLength(1);
  expect(stdout.texts[0]).toMatch(
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: frontend Order service leader found - 9094 order \{"leader":9094\}\n$/,
  );
  expect(JSON.parse(lines(file)[0] ?? "").leader).toBe(9094);
});

test("without a file and a terminal, JSON lines go to stdout", async () => {
  const stdout = output();
  (await createLogger({ name: "cli", level: "info", stdout })).info("hello");
  expect(JSON.parse(stdout.texts.join(""))).toMatchObject({ role: "cli", msg: "hello" });
});

test("a process killed with kill -9 loses no line it has logged", async () => {
  const file = join(directory, "order-9094.log");
  const script = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dirname, "logger.ts"))};
    const log = await createLogger({ name: "order-9094", level: "info", file: ${JSON.stringify(file)} });
    for (let i = 0; i < 1000; i += 1) log.info({ i }, "Writing trade data from leader");
    process.kill(process.pid, "SIGKILL");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: "inherit",
  });
  const signal = await new Promise((resolve) => child.once("exit", (_code, by) => resolve(by)));
  expect(signal).toBe("SIGKILL");
  expect(lines(file).map((line) => JSON.parse(line).i)).toEqual(
    Array.from({ length: 1_000 }, (_, i) => i),
  );
});

test("log files are rolled at their size, and the oldest is deleted", () => {
  const path = join(directory, "order-9094.log");
  const file = new RollingFile({ path, fileBytesMax: 100, filesMax: 3 });
  for (let i = 1_000; i < 1_100; i += 1) file.write(`line ${i}\n`);
  file.close();
  const names = readdirSync(directory).sort();
  expect(names).toEqual(["order-9094.log", "order-9094.log.1", "order-9094.log.2"]);
  // Ten lines a file, the newest last; all of the last 20 at least, none twice, none torn.
  const kept = names.toReversed().flatMap((name) => lines(join(directory, name)));
  expect(kept).toEqual(Array.from({ length: 20 }, (_, i) => `line ${1_080 + i}`));
});

test("after a restart what the file holds already counts towards its size", () => {
  const path = join(directory, "order-9094.log");
  for (let i = 0; i < 10; i += 1) {
    const file = new RollingFile({ path, fileBytesMax: 50, filesMax: 3 });
    file.write("0123456789012345678\n");
    file.close();
  }
  expect(readdirSync(directory).sort()).toEqual([
    "order-9094.log",
    "order-9094.log.1",
    "order-9094.log.2",
  ]);
  expect(lines(`${path}.1`)).toHaveLength(3);
});

test("a full disk costs log lines, not the process, and logging goes on when there is room", () => {
  const path = join(directory, "order-9094.log");
  // A limit on the size of files, set for a process of its own, stands in for the disk.
  const script = `
    import { truncateSync } from "node:fs";
    import { RollingFile } from ${JSON.stringify(join(import.meta.dirname, "rolling-file.ts"))};
    process.on("SIGXFSZ", () => {});
    let failures = 0;
    const path = ${JSON.stringify(path)};
    const file = new RollingFile({ path, fileBytesMax: 20_000, onError: () => failures++ });
    const line = (number) => file.write(\`line \${number} \${"x".repeat(90)}\\n\`);
    let number = 0;
    while (failures === 0) line(number++);
    truncateSync(path, 150); // room again, behind a line that was torn
    line("after-the-tear");
    while (number < 220) line(number++); // beyond the roll
    file.close();
    console.log(failures);
  `;
  const { stdout, stderr } = spawnSync(
    "sh",
    ["-c", 'ulimit -f 8 && exec "$0" --input-type=module -e "$1"', process.execPath, script],
    { encoding: "utf8" },
  );
  expect(Number(stdout), stderr).toBeGreaterThan(1);
  expect(readdirSync(directory).length).toBeGreaterThan(1);
  const oldest = lines(`${path}.${readdirSync(directory).length - 1}`);
  expect(oldest[0]).toMatch(/^line 0 x+$/);
  expect(oldest[2]).toMatch(/^line after-the-tear x+$/);
  expect(lines(path)[0]).toMatch(/^line \d+ x+$/);
});

test("no log line is written through a planted link, at the start or at a roll", () => {
  const path = join(directory, "order-9094.log");
  const target = join(directory, "somebody-elses");
  writeFileSync(target, "theirs\n");
  symlinkSync(target, path);
  expect(() => new RollingFile({ path })).toThrow(UnusablePath);
  unlinkSync(path);
  linkSync(target, path);
  expect(() => new RollingFile({ path })).toThrow(UnusablePath);
  unlinkSync(path);
  const errors: Error[] = [];
  const onError = (error: Error) => {
    errors.push(error);
    if (existsSync(path)) unlinkSync(path);
  };
  // With one file only, nothing is renamed: the link is there when the file is opened again.
  const file = new RollingFile({ path, fileBytesMax: 10, filesMax: 1, onError });
  unlinkSync(path);
  symlinkSync(target, path);
  file.write("the line that rolls\n");
  expect(errors).toEqual([expect.any(UnusablePath)]);
  file.write("the line that rolls again\n");
  file.close();
  expect(errors).toHaveLength(1);
  expect(readFileSync(target, "utf8")).toBe("theirs\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});
