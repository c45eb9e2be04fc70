// What docs/security.md has an operator paste, pasted: on three hosts, which are
// network namespaces, each with a folder of its own as home. Then what that page
// promises: it trades, fails over, verifies, takes up new certificates under load,
// shows nothing to who listens, and lets nobody in who has no certificate.
//
// `ssh` is a script here that runs its command on the host that it is given.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HttpClient, numberOf } from "../../lab/http.ts";
import { ROOT } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { Hosts, noHosts } from "./harness/hosts.ts";

/** For all roles to start at once on a machine that is busy besides. */
const LIMIT_MS = 240_000;
const HOSTS = [0, 1, 2] as const;
type Host = (typeof HOSTS)[number];
const BUY = { name: "FishCo", type: "buy", quantity: 1 } as const;
/** For a load, however long: of a stock that is sold there is always room for more. */
const SELL = { ...BUY, type: "sell" } as const;

let hosts: Hosts;
let folder = "";
let tcpdump: ChildProcess | null = null;
let key = "";

const missing = noHosts();
if (missing !== null) console.warn(`Not tested: a bazaar on three hosts, with TLS. ${missing}.`);

test.runIf(process.env.CI)("in CI the machine can make networks between hosts", () => {
  expect(missing).toBeNull();
});

const home = (host: Host) => join(folder, `host-${host}`);
const program = (host: Host) => join(home(host), "stock-bazaar");
const dataOf = (host: Host) => join(program(host), "data");
const caught = () => join(folder, "caught.pcap");

/** The blocks to paste, with this network's addresses. */
function blocks(): readonly string[] {
  const page = readFileSync(join(ROOT, "docs/security.md"), "utf8");
  const [, section = ""] = page.split("\n## Beyond one machine, in ten commands\n");
  return [...section.matchAll(/```sh\n(.*?)```/gs)].map(([, text = ""]) =>
    text.replaceAll("10.0.0.", hosts.address(0).replace(/\d+$/, "")),
  );
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs what is pasted into a shell in the program's folder of this host, to its end. */
function paste(host: Host, text: string): Promise<Ended> {
  const [ip, ...args] = hosts.on(host);
  const child = spawn(ip, [...args, "bash", "-c", text], {
    cwd: program(host),
    env: {
      ...process.env,
      PATH: `${join(folder, "bin")}:${join(program(host), "node_modules/.bin")}:${process.env.PATH}`,
      BAZAAR_LOG_LEVEL: "info",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (bytes) => {
    stdout += bytes;
  });
  child.stderr.on("data", (bytes) => {
    stderr += bytes;
  });
  return new Promise((resolve) => {
    child.once("exit", (status) => setTimeout(() => resolve({ status, stdout, stderr }), 50));
  });
}

async function pasted(host: Host, text: string): Promise<string> {
  const { status, stdout, stderr } = await paste(host, text);
  if (status !== 0) throw new Error(`${text} ended with ${status}: ${stderr}${stdout}`);
  return stdout;
}

const url = (host: Host, port: number) => `https://${hosts.address(host)}:${port}`;
/** From now on this process trusts the cluster's authorities, too. */
function trustWhatIsTrusted(): void {
  const authorities = readFileSync(join(dataOf(0), "certs/authorities.crt"), "utf8");
  const blocks = authorities.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];
  setDefaultCACertificates([...getCACertificates("default"), ...blocks]);
}

const authorization = () => ({ authorization: `Bearer ${key}` });
const pidOf = (host: Host, role: string) =>
  Number(readFileSync(join(dataOf(host), "run", `${role}.pid`), "utf8"));

function makeHome(host: Host): void {
  const modules = join(program(host), "node_modules");
  mkdirSync(join(modules, ".bin"), { recursive: true });
  symlinkSync(ROOT, join(modules, "stock-bazaar"));
  symlinkSync(join(ROOT, "bin/bazaar.js"), join(modules, ".bin/bazaar"));
  symlinkSync(process.execPath, join(modules, ".bin/node"));
}

beforeAll(async () => {
  if (missing !== null) return;
  folder = mkdtempSync(join(tmpdir(), "bazaar-beyond-"));
  hosts = new Hosts(HOSTS.length);
  for (const host of HOSTS) makeHome(host);
  mkdirSync(join(folder, "bin"));
  const lines = HOSTS.map((host) => {
    const [ip, ...args] = hosts.on(host);
    const path = `${join(program(host), "node_modules/.bin")}:$PATH`;
    return `${hosts.address(host)}) cd ${home(host)}; PATH=${path} exec ${ip} ${args.join(" ")} sh -c "$*";;`;
  });
  writeFileSync(
    join(folder, "bin/ssh"),
    `#!/bin/sh\nto=$1; shift\ncase $to in\n${lines.join("\n")}\nesac\n`,
  );
  chmodSync(join(folder, "bin/ssh"), 0o755);
  const [ip, ...args] = hosts.on(0);
  const dump = spawn(ip, [...args, "tcpdump", "-i", "eth0", "-U", "-s", "0", "-w", caught()], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  tcpdump = dump;
  await new Promise((resolve) => dump.stderr.once("data", resolve)); // "listening on eth0"
}, LIMIT_MS);

afterAll(async () => {
  if (folder === "") return;
  tcpdump?.kill("SIGKILL");
  for (const host of HOSTS) {
    const run = join(dataOf(host), "run");
    for (const file of existsSync(run) ? readdirSync(run) : []) {
      try {
        process.kill(Number(readFileSync(join(run, file), "utf8")), "SIGKILL");
      } catch {
        // it is gone
      }
    }
  }
  hosts.close();
  rmSync(folder, { recursive: true, force: true });
}, LIMIT_MS);

test.skipIf(missing !== null)(
  "the commands of docs/security.md make a bazaar of three hosts that trades and verifies",
  async () => {
    const commands = blocks();
    expect(commands).toHaveLength(10);
    const said: string[] = [];
    for (const command of commands) said.push(await pasted(0, command));
    expect(said.at(-2)).toBe('{"data":{"transaction_number":1}}');
    expect(said.at(-1)).toMatch(/^All agree at position \d+: 1 orders\.\n$/);
    key = readFileSync(join(program(0), "shop.key"), "utf8").trim();
    trustWhatIsTrusted();
    for (const host of [1, 2] as const) {
      expect(existsSync(join(dataOf(host), "certs/authority.key"))).toBe(false);
    }
  },
  LIMIT_MS,
);

test.skipIf(missing !== null)(
  "when the leader's process is killed, the next trade is made through another replica",
  async () => {
    const client = new HttpClient(url(0, 8000));
    try {
      process.kill(pidOf(2, "order-9094"), "SIGKILL");
      expect(numberOf(await client.trade(BUY, authorization()))).toBe(2);
      await pasted(2, "nohup npx bazaar order 9094 --config bazaar.json > /dev/null 2>&1 &");
      await until(
        "all level",
        async () => (await paste(1, "npx bazaar verify --config bazaar.json")).status === 0,
        LIMIT_MS,
      );
    } finally {
      client.close();
    }
  },
  LIMIT_MS,
);

test.skipIf(missing !== null)(
  "a front end without a key refuses, and one without TLS isn't there",
  async () => {
    const client = new HttpClient(url(0, 8000));
    const plain = new HttpClient(`http://${hosts.address(0)}:8000`);
    try {
      expect((await client.trade(BUY)).status).toBe(401);
      // Nothing that mustn't be seen: what a client sends in clear is seen, whatever the answer.
      expect((await plain.get("/healthz")).status).toBe(0);
    } finally {
      client.close();
      plain.close();
    }
  },
  LIMIT_MS,
);

test.skipIf(missing !== null)(
  "certificates and an authority replaced under load fail no request",
  async () => {
    let isOver = false;
    const failures: string[] = [];
    let answers = 0;
    const load = async (host: Host, port: number) => {
      while (!isOver) {
        // A connection each, so that each shakes hands.
        const client = new HttpClient(url(host, port));
        const call = await client.trade(SELL, authorization());
        if (call.status === 200) answers += 1;
        else failures.push(`${call.status} ${call.text}${call.error}`);
        client.close();
      }
    };
    const loads = [load(0, 8000), load(2, 8001)];
    const copy = async () => {
      const files = {
        1: "order-9092.* catalog-9097.*",
        2: "order-9094.* frontend-8001.*",
      };
      for (const [host, own] of Object.entries(files)) {
        await pasted(
          0,
          `cd data/certs && tar c authorities.crt cli.* ${own} | ssh ${hosts.address(Number(host) as Host)} 'cd stock-bazaar/data/certs && umask 077 && tar x'`,
        );
      }
    };
    const certs = (action: string) => pasted(0, `npx bazaar certs ${action} --config bazaar.json`);
    const lines = (host: Host, role: string) =>
      readFileSync(join(dataOf(host), "logs", `${role}.log`), "utf8").split("\n");
    const reread = (host: Host, role: string, since: number) =>
      until(
        `${role} has read anew`,
        () => lines(host, role).filter((line) => line.includes("certificate anew")).length > since,
        LIMIT_MS,
      );
    const everywhere = async (work: () => Promise<unknown>) => {
      const roles = [
        [0, "order-9090"],
        [1, "order-9092"],
        [2, "order-9094"],
        [2, "frontend-8001"],
      ] as const;
      const before = roles.map(
        ([host, role]) =>
          lines(host, role).filter((line) => line.includes("certificate anew")).length,
      );
      await work();
      await copy();
      for (const [index, [host, role]] of roles.entries())
        await reread(host, role, before[index] ?? 0);
    };
    try {
      await everywhere(() => certs("renew"));
      await everywhere(() => certs("rotate"));
      trustWhatIsTrusted();
      await everywhere(() => certs("renew"));
      await everywhere(() => certs("retire"));
      // New connections between the hosts, with what is trusted now alone.
      process.kill(pidOf(2, "order-9094"), "SIGKILL");
      await pasted(2, "nohup npx bazaar order 9094 --config bazaar.json > /dev/null 2>&1 &");
      await until(
        "all level",
        async () => (await paste(1, "npx bazaar status --config bazaar.json")).status === 0,
        LIMIT_MS,
      );
    } finally {
      isOver = true;
      await Promise.all(loads);
    }
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(20);
  },
  2 * LIMIT_MS,
);

test.skipIf(missing !== null)(
  "another host without a certificate, though it knows the secret, is let into no port of the inside",
  async () => {
    const stranger = join(home(1), "stranger");
    mkdirSync(join(stranger, "node_modules"), { recursive: true });
    const secret = readFileSync(join(dataOf(1), "secret"));
    mkdirSync(join(stranger, "data"), { mode: 0o700 });
    writeFileSync(join(stranger, "data/secret"), secret, { mode: 0o600 });
    const status = (options: string) =>
      paste(
        1,
        `npx bazaar verify --config bazaar.json --data ${join(stranger, "data")} ${options}`,
      );
    const refused = await status("");
    expect(refused.status).toBe(1);
    const insecure = await status("--insecure");
    expect(insecure.status).toBe(1);
    for (const port of [9090, 9096]) {
      const at = `${hosts.address(0)}:${port}`;
      for (const how of [
        "-k",
        "",
        `-k --cert ${join(folder, "own.crt")} --key ${join(folder, "own.key")}`,
      ]) {
        if (how.includes("own.crt") && !existsSync(join(folder, "own.crt"))) {
          const made = spawnSync("openssl", [
            ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=order-9092"],
            ...["-addext", "subjectAltName=DNS:order-9092", "-days", "10"],
            ...["-keyout", join(folder, "own.key"), "-out", join(folder, "own.crt")],
          ]);
          expect(made.status).toBe(0);
        }
        expect((await paste(1, `curl -s ${how} https://${at}/metrics`)).status).not.toBe(0);
      }
      expect((await paste(1, `curl -s http://${at}/challenge`)).status).not.toBe(0);
    }
    const { cert, key: own } = {
      cert: join(dataOf(1), "certs/catalog-9097.crt"),
      key: join(dataOf(1), "certs/catalog-9097.key"),
    };
    const ca = join(dataOf(1), "certs/authorities.crt");
    const member = `curl -s -o /dev/null -w '%{http_code}' --cacert ${ca} --cert ${cert} --key ${own} --connect-to order-9090:9090:${hosts.address(0)}:9090 https://order-9090:9090/metrics`;
    expect(await pasted(1, member)).toBe("403"); // of the cluster, but not for that
  },
  LIMIT_MS,
);

test.skipIf(missing !== null)(
  "a front end speaks TLS 1.2 and 1.3, and nothing older; the inside 1.3, with certificates of both sides",
  async () => {
    const ca = join(dataOf(1), "certs/authorities.crt");
    const shake = async (port: number, ...options: readonly string[]) => {
      const { stdout, stderr } = await paste(
        1,
        `openssl s_client -connect ${hosts.address(0)}:${port} -CAfile ${ca} -verify_return_error -cipher DEFAULT@SECLEVEL=0 ${options.join(" ")} < /dev/null`,
      );
      const version = /(?:New, |Protocol *: *)(TLSv1(?:\.\d)?)/.exec(stdout)?.[1];
      return {
        version: stdout.includes("Cipher is (NONE)") ? null : version,
        said: stdout + stderr,
      };
    };
    expect((await shake(8000, "-tls1_3")).version).toBe("TLSv1.3");
    expect((await shake(8000, "-tls1_2")).version).toBe("TLSv1.2");
    expect((await shake(8000, "-tls1_1")).version).toBeNull();
    expect((await shake(8000)).said).toContain("No client certificate CA names sent");
    const name = ["-servername", "order-9090", "-verify_hostname", "order-9090"];
    expect((await shake(9090, "-tls1_2", ...name)).version).toBeNull();
    const inside = await shake(9090, "-tls1_3", ...name);
    expect(inside.said).toContain("Acceptable client certificate CA names");
    expect(inside.said).toContain("Verification: OK");
  },
  LIMIT_MS,
);

test.skipIf(missing !== null)(
  "who listened to all of it has seen nothing of a trade, a key or the secret",
  async () => {
    const marker = "a-lookup-in-the-clear";
    await paste(1, `curl -s -m 2 http://${hosts.address(0)}:8000/${marker}`);
    const passed = () => readFileSync(caught());
    // What is sent in clear is caught, so that the rest of it means something.
    await until("the marker caught", () => passed().includes(marker), LIMIT_MS);
    const all = passed();
    expect(all.length).toBeGreaterThan(100_000);
    const secret = readFileSync(join(dataOf(0), "secret"), "utf8").trim();
    for (const text of [
      BUY.name,
      "transaction_number",
      secret,
      key,
      key.split(".")[1] ?? key,
      "bazaar-",
    ]) {
      expect(all.includes(text), text).toBe(false);
    }
  },
  LIMIT_MS,
);
