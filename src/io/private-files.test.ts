// Whose the folders and files are. What takes a second user is made by root, who
// may give files away, and is left out, with a word, where the tests aren't root.

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkPrivateFile, openPrivateFile, privateFolder } from "./private-files.ts";

const STRANGER = 65_534;
const isRoot = process.geteuid?.() === 0;
const umask = process.umask();
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "private-"));
});
afterEach(() => {
  process.umask(umask);
  rmSync(folder, { recursive: true });
});

const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;

test.each([0, 0o022, 0o077])("with umask %i new folders and files are closed to others", (mask) => {
  process.umask(mask);
  const path = join(folder, "data", "logs");
  privateFolder(path);
  closeSync(openPrivateFile(join(path, "x.log"), APPEND));
  expect(statSync(join(folder, "data")).mode & 0o777).toBe(0o700);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(statSync(join(path, "x.log")).mode & 0o777).toBe(0o600);
  privateFolder(path);
});

test.each([0o755, 0o750, 0o707, 0o710, 0o701, 0o777])(
  "a folder of mode %o is refused, with the command that closes it",
  (mode) => {
    const path = join(folder, "data");
    mkdirSync(path);
    chmodSync(path, mode);
    expect(() => privateFolder(path)).toThrow(
      `${path} is open to other users (mode 0${mode.toString(8)}): chmod -R go-rwx ${path}`,
    );
    chmodSync(path, 0o700);
    privateFolder(path);
  },
);

describe("in a folder's place", () => {
  const inPlace = (make: (path: string) => void) => {
    const path = join(folder, "data");
    make(path);
    return () => privateFolder(path);
  };

  test("a file is refused", () => {
    expect(inPlace((path) => writeFileSync(path, ""))).toThrow("is no directory: move it away");
  });

  test("a link to nothing is refused", () => {
    expect(inPlace((path) => symlinkSync(join(folder, "gone"), path))).toThrow("link to nothing");
    expect(readdirSync(folder)).toEqual(["data"]);
  });

  test("a link to an open folder is refused, one of our own to a closed folder is followed", () => {
    const real = join(folder, "real");
    mkdirSync(real);
    chmodSync(real, 0o755);
    const check = inPlace((path) => symlinkSync(real, path));
    expect(check).toThrow("is open to other users");
    chmodSync(real, 0o700);
    check();
  });
});

describe("in a file's place", () => {
  const inPlace = (make: (path: string, other: string) => void) => {
    const path = join(folder, "x.log");
    const other = join(folder, "somebody-elses");
    writeFileSync(other, "theirs");
    make(path, other);
    expect(() => openPrivateFile(path, APPEND)).toThrow(path);
    expect(readFileSync(other, "utf8")).toBe("theirs");
    return () => checkPrivateFile(path);
  };

  test.each([
    ["a link", "remove it", (path: string, other: string) => symlinkSync(other, path)],
    ["a link to nothing", "remove it", (path: string) => symlinkSync("/nowhere/at/all", path)],
    ["a loop of links", "remove it", (path: string) => symlinkSync(path, path)],
    ["a hard link", "replace it by a copy", (path: string, other: string) => linkSync(other, path)],
    ["a folder", "move it away", (path: string) => mkdirSync(path)],
    ["a device", "remove it", (path: string) => symlinkSync("/dev/null", path)],
  ] as const)("%s is refused, with what to do", (_, says, make) => {
    expect(inPlace(make)).toThrow(says);
  });

  test("a path where nothing is yet is accepted", () => {
    checkPrivateFile(join(folder, "x.log"));
  });
});

describe("with a second user", () => {
  if (!isRoot) console.warn("not tested: what another user owns (the tests don't run as root)");

  test.runIf(isRoot)("a folder that a stranger made first is refused, whatever its mode", () => {
    const path = join(folder, "data");
    privateFolder(path);
    chownSync(path, STRANGER, STRANGER);
    expect(() => privateFolder(path)).toThrow(
      `${path} belongs to user ${STRANGER}, and this process runs as user 0: run it as its owner, or chown -hR 0 ${path}`,
    );
  });

  test.runIf(isRoot)("a stranger's link isn't followed, not even to a folder of ours", () => {
    const [real, path] = [join(folder, "real"), join(folder, "data")];
    privateFolder(real);
    symlinkSync(real, path);
    lchownSync(path, STRANGER, STRANGER);
    expect(() => privateFolder(path)).toThrow(`belongs to user ${STRANGER}`);
  });

  test.runIf(isRoot)("a stranger's file is refused", () => {
    const path = join(folder, "x.log");
    writeFileSync(path, "", { mode: 0o600 });
    chownSync(path, STRANGER, STRANGER);
    expect(() => openPrivateFile(path, APPEND)).toThrow(`belongs to user ${STRANGER}`);
  });
});
