// Which failures to start would come again however often a role is started:
// its port or its folder is someone else's, or there is nothing to start from.
// A damaged file is not among them: it stops one replica, and the others go on.

import { OtherCluster } from "../core/replication/members.ts";
import {
  DataFileForeign,
  DataFileMissing,
  DataFileTooNew,
  DataFileTooOld,
  DirectoryLocked,
} from "../io/journal/errors.ts";
import { SecretError } from "../io/rpc/secret.ts";
import { UserError } from "./user-error.ts";

const KINDS = [
  UserError,
  SecretError,
  OtherCluster,
  DirectoryLocked,
  DataFileMissing,
  DataFileForeign,
  DataFileTooNew,
  DataFileTooOld,
] as const;

const SYSTEM_CODES: ReadonlySet<unknown> = new Set([
  "EADDRINUSE",
  "EADDRNOTAVAIL",
  "EACCES",
  "EROFS",
  "ENOTDIR",
]);

export function isMisconfiguration(error: unknown): boolean {
  if (KINDS.some((kind) => error instanceof kind)) return true;
  return error instanceof Error && SYSTEM_CODES.has((error as NodeJS.ErrnoException).code);
}
