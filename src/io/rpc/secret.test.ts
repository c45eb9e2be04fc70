import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeSecret, readSecret, SecretError, secretPath } from "./secret.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "secret-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

test("the secret that is made is the one that is read, and only its owner may read it", () => {
  const dataDir = join(directory, "not", "there", "yet");
  const secret = makeSecret(dataDir);
  expect(secret).toMatch(/^[0-9a-f]{64}$/);
  expect(readSecret(dataDir)).toBe(secret);
  expect(statSync(secretPath(dataDir)).mode & 0o777).toBe(0o600);
  expect(readdirSync(dataDir)).toEqual(["secret"]);
});

test("two clusters have different secrets", () => {
  expect(makeSecret(join(directory, "a"))).not.toBe(makeSecret(join(directory, "b")));
});

test("a second secret is refused, and the first one stays", () => {
  const secret = makeSecret(directory);
  expect(() => makeSecret(directory)).toThrow(SecretError);
  expect(readSecret(directory)).toBe(secret);
  expect(readdirSync(directory)).toEqual(["secret"]);
});

test("the error for a missing secret names the command that makes it", () => {
  expect(() => readSecret(directory)).toThrow(/bazaar format/);
  expect(() => readSecret(directory)).toThrow(SecretError);
});

test.each([0o604, 0o640, 0o666])(
  "a secret of mode %o is refused, with the command that closes it",
  (mode) => {
    makeSecret(directory);
    chmodSync(secretPath(directory), mode);
    expect(() => readSecret(directory)).toThrow(`chmod 600 ${secretPath(directory)}`);
  },
);

test.each(["", "0123", `${"g".repeat(64)}\n`])("a secret file that holds %j is refused", (text) => {
  writeFileSync(secretPath(directory), text, { mode: 0o600 });
  expect(() => readSecret(directory)).toThrow(SecretError);
});

test("a secret copied without its newline is the same secret", () => {
  const secret = makeSecret(directory);
  writeFileSync(secretPath(directory), secret);
  expect(readSecret(directory)).toBe(secret);
});
