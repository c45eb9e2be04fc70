// Whatever was thrown, one line that a person can act on.

import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { commanderLine } from "./program.ts";
import { errorLine, fileLabel, shown, UserError } from "./user-error.ts";

test("the line about a port in use says which, and what to do", async () => {
  const listen = (port: number) =>
    new Promise<{ port: number; error: unknown; close: () => void }>((resolve) => {
      const server = createServer();
      const done = (error: unknown) => {
        const address = server.address();
        const bound = typeof address === "object" && address ? address.port : port;
        resolve({ port: bound, error, close: () => server.close() });
      };
      server.once("error", done).listen(port, "127.0.0.1", () => done(null));
    });
  const first = await listen(0);
  const second = await listen(first.port);
  first.close();
  expect(errorLine(second.error)).toBe(
    `port ${first.port} is in use: stop what listens there, or choose another port`,
  );
});

test("the line about a missing file says which", () => {
  let line = "";
  try {
    readFileSync("/no/such/file");
  } catch (error) {
    line = errorLine(error);
  }
  expect(line).toBe("/no/such/file does not exist");
});

test("whatever is thrown makes one line", () => {
  expect(errorLine(new UserError("first\n  second"))).toBe("first second");
  expect(errorLine(new TypeError())).toBe("TypeError");
  expect(errorLine("text")).toBe("text");
  expect(errorLine(undefined)).toBe("undefined");
  expect(errorLine(Object.assign(new Error("odd"), { code: "constructor" }))).toBe("odd");
  expect(errorLine(new Error("x".repeat(10_000))).length).toBeLessThan(600);
});

const DEEP = "/data of the bazaar/with a folder".repeat(40);

test("a long path is shortened, and the whole reason stays, even where the path stands twice", () => {
  const lines = [
    `${DEEP}/secret is missing: "bazaar format" makes it`,
    `${DEEP}/secret is open to other users (mode 0644): chmod 600 ${DEEP}/secret`,
    `${DEEP}/order.db: unable to open database file (SQLite error 14); let this user write it`,
    `${DEEP}/run belongs to user 65534, and this process runs as user 1000: run it as its owner, or chown -hR 1000 ${DEEP}/run`,
    `no file in ${DEEP} tells which cluster this is: copy the folder of a catalog first`,
  ];
  for (const line of lines) {
    const text = errorLine(new UserError(line));
    expect(text.length).toBeLessThan(600);
    for (const words of line.split(DEEP)) expect(text).toContain(words);
    expect(text).toContain("/data of the bazaar");
  }
});

test("a long message without a path keeps its beginning and its end", () => {
  const text = errorLine(new Error(`it failed: ${"x".repeat(10_000)}: choose another`));
  expect(text).toMatch(/^it failed: x+…x+: choose another$/);
});

test("a password in a URL is taken out of every line", () => {
  const url = "redis://fish:pass@h:1";
  expect(errorLine(new Error(`can't reach ${url}: gone`))).toBe("can't reach redis://…@h:1: gone");
  expect(shown(url)).toBe('"…@h:1"');
  expect(shown({ cache: url })).not.toContain("pass");
  expect(commanderLine(`error: unknown option '--cahce=${url}'`)).toContain(
    "unknown option '--cahce=redis://…@h:1'",
  );
});

test("a user's value is shown quoted and short", () => {
  expect(shown("a\nb")).toBe('"a\\nb"');
  expect(shown(undefined)).toBe("undefined");
  expect(shown("x".repeat(100)).length).toBe(60);
  expect(fileLabel("/etc/bazaar/many.json")).toBe("many.json");
});
