// Which failures end a start for good.

import { expect, test } from "vitest";
import {
  DirectoryLocked,
  JournalCorrupt,
  JournalFailed,
  JournalRefused,
} from "../io/journal/errors.ts";
import { UnusablePath } from "../io/private-files.ts";
import { SecretError } from "../io/rpc/secret.ts";
import { hopelessness } from "./misconfiguration.ts";
import { UserError } from "./user-error.ts";

const system = (code: string) => Object.assign(new Error(code), { code });

test("a failure that the operator has to mend counts as a misconfiguration", () => {
  const errors = [
    new UserError("choose another"),
    new SecretError("chmod 600 secret"),
    new UnusablePath("chmod -R go-rwx data"),
    new DirectoryLocked("data/order-9094"),
    new JournalRefused("the disk is full"),
    ...["EADDRINUSE", "EACCES", "EROFS", "ENOSPC", "ELOOP", "EISDIR", "EMFILE"].map(system),
  ];
  expect(errors.map(hopelessness)).toEqual(errors.map(() => "misconfigured"));
});

test("a damaged file counts as damage", () => {
  expect(hopelessness(new JournalCorrupt("order.db", 7, "a bad checksum"))).toBe("damaged");
});

test("a disk that failed once and an unexpected error count as worth another start", () => {
  const errors = [
    new JournalFailed("disk I/O error"),
    new TypeError("a fault"),
    system("EIO"),
    "EIO",
  ];
  expect(errors.map(hopelessness)).toEqual(errors.map(() => null));
});
