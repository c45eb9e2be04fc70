import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { DirectoryLocked } from "./errors.ts";
import { lockRole } from "./lock.ts";
import { temporaryFolder, thrown } from "./test-files.ts";

const ROLE = "order-9094";

test("two processes of one role would undo each other's promises", () => {
  const data = join(temporaryFolder(), "data");
  const lock = lockRole(data, ROLE);
  const error = thrown(() => lockRole(data, ROLE));
  expect(error).toBeInstanceOf(DirectoryLocked);
  expect((error as Error).message).toMatch(/order-9094 is locked .*: stop that one first/);
  lockRole(data, "order-9092").release();
  lock.release();
  lock.release();
  lockRole(data, ROLE).release();
  expect(readdirSync(join(data, ROLE))).toEqual(["lock.db"]);
});

test("a lock that outlives a kill -9 keeps the role from coming back", async () => {
  const data = temporaryFolder();
  const script = `
    import { lockRole } from ${JSON.stringify(new URL("./lock.ts", import.meta.url).href)};
    globalThis.lock = lockRole(${JSON.stringify(data)}, ${JSON.stringify(ROLE)}); // or it is collected, and released
    console.log("locked");
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const [said] = await once(child.stdout, "data");
  expect(String(said)).toBe("locked\n");
  expect(thrown(() => lockRole(data, ROLE))).toBeInstanceOf(DirectoryLocked);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(readdirSync(join(data, ROLE))).toEqual(["lock.db"]);
  lockRole(data, ROLE).release();
});
