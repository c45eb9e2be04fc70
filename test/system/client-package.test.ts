// The client library as a stranger's project gets it: what `npm pack` makes,
// installed into a folder of its own beside an older Node.js, which runs it
// without this repository and its runtime.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Finished, ROOT, Running } from "../../lab/process.ts";
import { useClusters } from "./harness/lifetime.ts";

/** Installing fetches some 50 MB of Node.js. */
const INSTALL_LIMIT_MS = 240_000;
const OLDER_NODE = "node@22";

const PROJECT = {
  name: "stranger",
  private: true,
  type: "module",
  // node's script puts the binary of this machine in its place.
  allowScripts: { node: true },
};

const PROGRAM = `
import { BazaarClient, BazaarError, type Order, type Stock } from "stock-bazaar/client";

const client = new BazaarClient({ url: process.argv[2] ?? "" });
const before: Stock = await client.lookup("FishCo");
const { number, key } = await client.trade({ name: "FishCo", type: "buy", quantity: 3 });
const again = await client.trade({ name: "FishCo", type: "buy", quantity: 3, key });
const order: Order = await client.order(number);
const after = await client.lookup("FishCo");
let seen = false;
for await (const { data } of client.events({ timeoutMs: 60_000 })) {
  seen ||= data.stocks?.rows.some(({ name }) => name === "FishCo") ?? false;
  if (seen) break;
}
const refusal = await client.trade({ name: "Ash", type: "buy", quantity: 1 }).catch((error: unknown) => error);
console.log(JSON.stringify({
  node: process.versions.node,
  number, again: again.number, order,
  moved: after.quantity - before.quantity,
  seen,
  refusal: refusal instanceof BazaarError ? refusal.kind : String(refusal),
}));
`;

const clusters = useClusters("test");
let folder: string;

async function run(command: string, args: readonly string[], cwd: string): Promise<Finished> {
  const done = await new Running(command, args, { cwd }).end(INSTALL_LIMIT_MS);
  if (done.status !== 0)
    throw new Error(`${command} ${args.join(" ")}: ${done.stdout}${done.stderr}`);
  return done;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bazaar-client-"));
  writeFileSync(join(folder, "package.json"), JSON.stringify(PROJECT));
  writeFileSync(join(folder, "program.ts"), PROGRAM);
  await run("npm", ["pack", "--pack-destination", folder], ROOT);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  const packages = [OLDER_NODE, `./${tarball}`];
  await run("npm", ["install", "--no-audit", "--no-fund", ...packages], folder);
}, 2 * INSTALL_LIMIT_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the package is JavaScript with declarations, and brings none of the server's packages", () => {
  const installed = join(folder, "node_modules/stock-bazaar");
  const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
  expect(files).toContain("dist/client/index.js");
  expect(files).toContain("dist/client/index.d.ts");
  expect(files.filter((file) => /(?<!\.d)\.ts$/.test(file))).toEqual([]);
  expect(readdirSync(join(folder, "node_modules"))).not.toContain("fastify");
});

test("a TypeScript program compiles against the package without Node.js's types", async () => {
  const lax = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"];
  const stub = join(folder, "process.d.ts");
  writeFileSync(stub, "declare const process: { argv: string[]; versions: { node: string } };\n");
  const args = [...lax, "--types", "", "--lib", "es2022,dom", "program.ts", "process.d.ts"];
  await run(resolve(ROOT, "node_modules/.bin/tsc"), args, folder);
});

test("a program on an older Node.js trades through the package", async () => {
  const cluster = await clusters.up();
  const node = join(folder, "node_modules/node/bin/node");
  const { stdout } = await run(
    node,
    ["--experimental-strip-types", "program.ts", cluster.url],
    folder,
  );
  expect(JSON.parse(stdout)).toEqual({
    node: expect.stringMatching(/^22\./),
    number: 1,
    again: 1,
    order: { number: 1, name: "FishCo", type: "buy", quantity: 3 },
    moved: -3,
    seen: true,
    refusal: "refused",
  });
});

test("the package's command ends with one line that says that this is the client library", async () => {
  const bin = join(folder, "node_modules/.bin/bazaar");
  const node = join(folder, "node_modules/node/bin/node");
  const { status, stderr } = await new Running(node, [bin, "up"], { cwd: folder }).end();
  expect(status).toBe(1);
  expect(stderr).toMatch(/^bazaar: this package is the client library.*\n$/);
});

test("the bazaar on an older Node.js ends with one line that names the version it needs", async () => {
  const bin = resolve(ROOT, "bin/bazaar.js");
  const node = join(folder, "node_modules/node/bin/node");
  const { status, stderr } = await new Running(node, [bin, "up"], { cwd: folder }).end();
  expect(status).toBe(1);
  expect(stderr).toMatch(/^bazaar: needs Node\.js 26 or newer, this is 22\..*\n$/);
  expect(readFileSync(bin, "utf8")).toMatch(/^#!/);
});
