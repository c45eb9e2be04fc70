// Which failures to start would come again however often a role is started, and
// how the `up` that started it is told.
//
// What its operator has to put right first, an option, a port, the rights of a
// folder, the disk's room, keeps all of a bazaar from starting: the same is likely to be
// wrong for the next role. A damaged file stops one replica, and the others go on.

import { OtherCluster } from "../core/replication/members.ts";
import {
  DataFileForeign,
  DataFileMissing,
  DataFileTooNew,
  DataFileTooOld,
  DirectoryLocked,
  JournalCorrupt,
  JournalRefused,
} from "../io/journal/errors.ts";
import { DatabaseRefused } from "../io/log/table-log.ts";
import { UnusablePath } from "../io/private-files.ts";
import { SecretError } from "../io/rpc/secret.ts";
import { CertificateError } from "../io/tls/certificates.ts";
import type { ChildMessage } from "./child.ts";
import type { Hopeless } from "./supervisor.ts";
import { errorLine, isOperatorsCode, UserError } from "./user-error.ts";

const KINDS = [
  UserError,
  SecretError,
  CertificateError,
  OtherCluster,
  UnusablePath,
  DirectoryLocked,
  DataFileMissing,
  DataFileForeign,
  DataFileTooNew,
  DataFileTooOld,
  JournalRefused,
  DatabaseRefused,
] as const;

/** Why starting again wouldn't help; null when it might. */
export function hopelessness(error: unknown): Hopeless | null {
  if (error instanceof JournalCorrupt) return "damaged";
  if (KINDS.some((kind) => error instanceof kind)) return "misconfigured";
  return error instanceof Error && isOperatorsCode((error as NodeJS.ErrnoException).code)
    ? "misconfigured"
    : null;
}

/** Says in one line on stderr why this process ends, and to the `up` that started it whether to start it again. */
export async function tellFailure(error: unknown): Promise<void> {
  const reason = errorLine(error);
  const hopeless = hopelessness(error);
  if (hopeless !== null) await tellParent({ kind: "cannot-start", hopeless, reason });
  process.stderr.write(`bazaar: ${reason}\n`);
}

/** Tells the `up` that started this process, if one did, and waits until it was sent. */
export async function tellParent(message: ChildMessage): Promise<void> {
  if (!process.connected) return;
  // An error means that the parent is gone, which `disconnect` tells.
  await new Promise<void>((resolve) => process.send?.(message, () => resolve()));
}
