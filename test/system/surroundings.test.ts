// Surroundings in which nothing can run: each is broken in one way, and `up` and
// each role started alone are refused with one line that names what is wrong
// and what to do, exit status 1, without a second try.
//
// What takes a second user's files, rights that hold for root too, or mounts of
// one's own is left out where the machine has no means for it, with a word, and
// fails where CI is set.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { type Finished, ROOT, Running } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { canMount } from "./harness/failing-disk.ts";
import { useClusters } from "./harness/lifetime.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const clusters = useClusters("file");
const MAIN = resolve(ROOT, "bin/bazaar.js");
/** Its user is nobody's on most systems; root may give files to it. */
const STRANGER = 65_534;
const isRoot = process.geteuid?.() === 0;
/** What takes from root the right to pass by the rights of files, so that they hold for it as for anybody. */
const PLAIN_USER = isRoot
  ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
  : ([] as const);
const canBePlain = !isRoot || spawnSync("setpriv", [...PLAIN_USER.slice(1), "true"]).status === 0;
const mounts = canMount();

let cluster: Cluster;
let pristine = "";
let victim = "";
beforeAll(async () => {
  // What TLS and certificates need has tests of its own.
  cluster = await clusters.prepare({ logLevel: "info", secured: false });
  expect((await cluster.run("format")).stderr).toBe("");
  pristine = `${cluster.data}.pristine`;
  victim = `${cluster.data}.victim`;
  renameSync(cluster.data, pristine);
});
beforeEach(() => {
  spawnSync("cp", ["-a", pristine, cluster.data]);
  writeFileSync(victim, "theirs\n");
});
afterEach(() => {
  rmSync(cluster.data, { recursive: true, force: true });
});

/** A path in the data directory; `ORDER` stands for the folder of the lowest replica. */
const at = (path: string) =>
  join(cluster.data, path.replace("ORDER", `order-${cluster.replicas[0]}`));

/** Runs `bazaar ARGS` to its end, by way of the command in `wrapper`. */
function bazaar(wrapper: readonly string[], args: readonly string[]): Promise<Finished> {
  const [name = "", ...more] = args;
  const start = [process.execPath, MAIN, name, ...cluster.options, ...more];
  const [command = "", ...rest] = [...wrapper, ...start];
  return new Running(command, rest).end();
}

type Role = "order" | "catalog" | "frontend";
const ALL: readonly Role[] = ["order", "catalog", "frontend"];
const ORDER: readonly Role[] = ["order"];

/** The command that starts the role alone, of the replicas the lowest. */
function commandOf(role: Role): readonly string[] {
  return role === "order" ? [role, String(cluster.replicas[0])] : [role];
}

interface Refusal {
  /** What the line has to say besides the path, which is that of `broken`. */
  readonly says: string | RegExp;
  /** What is wrong, in the data directory; "" is the directory itself. */
  readonly broken: string;
  readonly roles?: readonly Role[];
  readonly wrapper?: readonly string[];
}

/** `up`, then each role alone, say one line and end, and nothing was started a second time. */
async function refused({ says, broken, roles = ALL, wrapper = [] }: Refusal): Promise<void> {
  const start = async (args: readonly string[]) => {
    const { status, stdout, stderr } = await bazaar(wrapper, args);
    const what = `${args.join(" ")}: ${stdout}${stderr}`;
    expect(stderr, what).toMatch(/^bazaar: [^\n]+\n$/);
    expect(stderr, what).toContain(at(broken));
    expect(stderr, what).toMatch(says);
    expect([status, stdout], what).toEqual([1, ""]);
  };
  await start(["up"]);
  await until("nothing running", () => cluster.left().length === 0);
  await Promise.all(roles.map((role) => start(commandOf(role))));
  expect(readFileSync(victim, "utf8")).toBe("theirs\n");
}

test.each<[string, Refusal & { readonly make: (path: string) => void }]>([
  ["the secret is gone", { broken: "secret", says: "is missing", make: unlinkSync }],
  [
    "the secret is open to others",
    { broken: "secret", says: "chmod 600", make: (path) => chmodSync(path, 0o640) },
  ],
  [
    "the secret's file is empty",
    {
      broken: "secret",
      says: "copy it from another host",
      make: (path) => writeFileSync(path, ""),
    },
  ],
  [
    "the data directory is open to others",
    { broken: "", says: "chmod -R go-rwx", make: (path) => chmodSync(path, 0o755) },
  ],
  ["logs/ is a file", { broken: "logs", says: "move it away", make: file }],
  ["logs/ is a link to nothing", { broken: "logs", says: "link to nothing", make: linkToNothing }],
  ["run/ is a file", { broken: "run", says: "move it away", make: file }],
  [
    "a replica's log is a link",
    { broken: logOf("ORDER"), roles: ORDER, says: "is a link", make: (path) => link(path) },
  ],
  [
    "a front end's log is a link",
    {
      broken: logOf("frontend"),
      roles: ["frontend"],
      says: "is a link",
      make: (path) => link(path),
    },
  ],
  [
    "a catalog's log has a second name",
    {
      broken: logOf("catalog"),
      roles: ["catalog"],
      says: "replace it by a copy",
      make: (path) => {
        mkdirSync(dirname(path), { mode: 0o700 });
        linkSync(victim, path);
      },
    },
  ],
  [
    "a log is a folder",
    { broken: logOf("catalog"), roles: ["catalog"], says: "move it away", make: folder },
  ],
  [
    "a front end's pid file is a folder",
    { broken: "run/frontend.pid", roles: ["frontend"], says: "move it away", make: folder },
  ],
  [
    "a replica's pid file is a link",
    { broken: "run/ORDER.pid", roles: ORDER, says: "is a link", make: (path) => link(path) },
  ],
  [
    "a replica's lock is a link",
    { broken: "ORDER/lock.db", roles: ORDER, says: "is a link", make: (path) => link(path) },
  ],
  [
    "a replica's file is a link",
    {
      broken: "ORDER/order.db",
      roles: ORDER,
      says: "is a link",
      make: (path) => {
        renameSync(path, `${path}.moved`);
        symlinkSync(`${path}.moved`, path);
      },
    },
  ],
  [
    "a segment of a replica's journal is a link",
    {
      broken: "ORDER/journal/00000001.segment",
      roles: ORDER,
      says: "is a link",
      make: (path) => {
        renameSync(path, `${path}.moved`);
        symlinkSync(`${path}.moved`, path);
      },
    },
  ],
  [
    "what SQLite keeps beside a file is a link",
    { broken: "ORDER/order.db-shm", roles: ORDER, says: "is a link", make: (path) => link(path) },
  ],
  [
    "a replica's folder is open to others",
    {
      broken: "ORDER",
      roles: ORDER,
      says: "chmod -R go-rwx",
      make: (path) => chmodSync(path, 0o711),
    },
  ],
])(
  "up and each role that it concerns are refused once, with one line, when %s",
  async (_, { make, ...refusal }) => {
    make(at(refusal.broken));
    await refused(refusal);
  },
);

test("a path longer than SQLite takes is refused in one line with the whole reason", async () => {
  const deep = join(cluster.data, ...Array.from({ length: 12 }, () => "f".repeat(50)));
  const { status, stderr } = await bazaar([], ["up", `--data=${deep}`]);
  expect(stderr).toMatch(/^bazaar: [^\n]+: choose a shorter --data directory\n$/);
  expect(status).toBe(1);
});

test.each([
  ["an address of another machine", "203.0.113.7", "is not an address of this machine"],
  ["a name that nobody knows", "no-such-host.invalid", "with --host"],
])("up and each role are refused once, with one line, when --host is %s", async (_, host, says) => {
  for (const args of [["up"], ...ALL.map(commandOf)]) {
    const isOpen = args[0] === "up" || args[0] === "frontend";
    const option = isOpen ? "--host" : "--internal-host";
    const { status, stderr } = await bazaar([], [...args, `${option}=${host}`, "--insecure"]);
    expect(stderr, args[0]).toMatch(/^bazaar: [^\n]+\n$/);
    expect(stderr, args[0]).toContain(host);
    expect(stderr, args[0]).toContain(says);
    expect(status).toBe(1);
  }
});

const others = (says: Omit<Refusal, "says">): Refusal => ({ ...says, says: /chown -hR \d+ / });

test.runIf(isRoot).each<[string, Refusal, (path: string) => void]>([
  ["the data directory", others({ broken: "" }), give],
  ["the secret", others({ broken: "secret" }), give],
  ["the folder of a replica", others({ broken: "ORDER", roles: ORDER }), give],
  ["the file of a replica", others({ broken: "ORDER/order.db", roles: ORDER }), give],
  [
    "a segment of a replica",
    others({ broken: "ORDER/journal/00000001.segment", roles: ORDER }),
    give,
  ],
  ["the lock of a replica", others({ broken: "ORDER/lock.db", roles: ORDER }), makeAndGive],
  ["logs/", others({ broken: "logs" }), (path) => folder(path, give)],
  ["run/", others({ broken: "run" }), (path) => folder(path, give)],
  ["a log", others({ broken: logOf("ORDER"), roles: ORDER }), makeAndGive],
  ["a pid file", others({ broken: "run/ORDER.pid", roles: ORDER }), makeAndGive],
  [
    "a link to the data directory",
    others({ broken: "" }),
    (path) => {
      renameSync(path, `${path}.moved`);
      symlinkSync(`${path}.moved`, path);
      lchownSync(path, STRANGER, STRANGER);
    },
  ],
])(
  "up and each role that it concerns are refused once, with one line, when another user owns %s",
  async (_, refusal, make) => {
    try {
      make(at(refusal.broken));
      await refused(refusal);
    } finally {
      rmSync(`${cluster.data}.moved`, { recursive: true, force: true });
    }
  },
);

test.runIf(isRoot)("a new cluster isn't made in a folder that a stranger made first", async () => {
  rmSync(cluster.data, { recursive: true });
  mkdirSync(cluster.data, { mode: 0o777 });
  give(cluster.data);
  for (const args of [["up"], ["format"]]) {
    const { status, stderr } = await bazaar([], args);
    expect(stderr).toMatch(/^bazaar: [^\n]+ belongs to user 65534, [^\n]+\n$/);
    expect(status).toBe(1);
  }
});

test.runIf(canBePlain).each<[string, Refusal, number]>([
  ["the secret", { broken: "secret", says: "can't be read by this user" }, 0],
  ["the data directory", { broken: "", says: "permissions" }, 0o500],
  ["the folder of a replica", { broken: "ORDER", roles: ORDER, says: "permissions" }, 0o500],
  ["the file of a replica", { broken: "ORDER/order.db", roles: ORDER, says: "permissions" }, 0o400],
  ["the lock of a replica", { broken: "ORDER/lock.db", roles: ORDER, says: "permissions" }, 0o400],
  ["logs/", { broken: "logs", says: "permissions" }, 0o500],
  ["run/", { broken: "run", says: "permissions" }, 0o500],
  ["a log", { broken: logOf("ORDER"), roles: ORDER, says: "permissions" }, 0o400],
])(
  "up and each role that it concerns are refused once, with one line, when their user has no right to %s",
  async (_, refusal, mode) => {
    const path = at(refusal.broken);
    if (["logs", "run"].includes(refusal.broken)) folder(path);
    else if (refusal.broken.endsWith(".log") || refusal.broken.endsWith("lock.db")) file(path);
    chmodSync(path, mode);
    try {
      await refused({ ...refusal, wrapper: PLAIN_USER });
    } finally {
      chmodSync(path, 0o700);
    }
  },
);

/** Runs what follows where the script has changed the mounts, which nobody else sees. */
const inMounts = (script: string, path: string) => [
  ...["unshare", "-rm", "sh", "-c", `path=$1; shift; ${script} && exec "$@"`, "sh", path],
];
const READ_ONLY = 'mount --bind "$path" "$path" && mount -o remount,bind,ro "$path"';
/** A file system of its own that holds what was there, and has no room left. */
const FULL = `
  cp -a "$path" "$path.$$" && mount -t tmpfs -o size=4m,mode=700 none "$path" &&
  cp -a "$path.$$/." "$path" && rm -r "$path.$$" &&
  { dd if=/dev/zero of="$path/filler" bs=4k 2>/dev/null; true; }`;

test.runIf(mounts).each<[string, Refusal, string]>([
  ["the data directory is read-only", { broken: "", says: "mount it writable" }, READ_ONLY],
  ["logs/ is read-only", { broken: "logs", says: "mount it writable" }, READ_ONLY],
  ["run/ is read-only", { broken: "run", says: "mount it writable" }, READ_ONLY],
  [
    "a replica's folder is read-only",
    { broken: "ORDER", roles: ORDER, says: "mount it writable" },
    READ_ONLY,
  ],
  ["the data directory is full", { broken: "", says: "make room, then start again" }, FULL],
  ["logs/ is full", { broken: "logs", says: "make room, then start again" }, FULL],
  ["run/ is full", { broken: "run", says: "make room, then start again" }, FULL],
  [
    "a replica's folder is full",
    { broken: "ORDER", roles: ORDER, says: "make room, then start again" },
    FULL,
  ],
])(
  "up and each role that it concerns are refused once, with one line, when the disk of %s",
  async (_, refusal, script) => {
    const path = at(refusal.broken);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    await refused({ ...refusal, wrapper: inMounts(script, path) });
  },
);

const untested = [
  isRoot ? [] : "what another user owns (not root)",
  canBePlain ? [] : "rights that are missing (no setpriv that takes them from root)",
  mounts ? [] : "read-only and full disks (no mounts of one's own)",
].flat();
for (const what of untested) console.warn(`not tested on this machine: ${what}`);

test.runIf(process.env.CI)("in CI the machine has the means for all of these tests", () => {
  expect(untested).toEqual([]);
});

function logOf(role: string): string {
  return `logs/${role}.log`;
}

function folder(path: string, then: (path: string) => void = () => {}): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  then(path);
}

function file(path: string): void {
  folder(dirname(path));
  writeFileSync(path, "", { mode: 0o600 });
}

function link(path: string): void {
  folder(dirname(path));
  rmSync(path, { force: true });
  symlinkSync(victim, path);
}

function linkToNothing(path: string): void {
  symlinkSync(`${path}-that-is-gone`, path);
}

function give(path: string): void {
  chownSync(path, STRANGER, STRANGER);
}

function makeAndGive(path: string): void {
  file(path);
  give(path);
}
