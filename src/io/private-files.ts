// What the bazaar keeps on a disk belongs to the user who runs it, and to nobody
// else: orders and keys are nobody's business, and whoever may open a lock's file
// may hold the lock.
//
//   - Folders are made with mode 0700. Files are made with mode 0600 by whoever
//     opens them, and by SQLite, since every command sets OWNER_ONLY_UMASK first.
//   - A folder that is there already is refused when another user owns it, or
//     could look into it, as PostgreSQL refuses its data directory. It isn't
//     closed in silence: its owner should know that it was open.
//   - No link is followed to a file, and a folder may be a link only if its
//     target stands these checks and nobody but its user, or root, made it.
//   - What can't be written is found out here, with the path in the message, not
//     by the first write.
//
// In a folder that passed this nobody else can put a link or another file between
// the check and the opening, which matters for SQLite: it opens by name.

import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  type Stats,
  statfsSync,
  statSync,
} from "node:fs";

/** Takes every right from group and others, and none from the owner. */
export const OWNER_ONLY_UMASK = 0o077;
export const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const GROUP_OR_OTHERS = 0o077;
const PERMISSIONS = 0o777;

/**
 * Less room on a folder's disk counts as none, bytes: the first lines of a log, a pid
 * file and what SQLite puts beside a database take half of it.
 */
const ROOM_BYTES_MIN = 256 * 1024;

/** A folder or a file can't be used as it is; the message says what to do, and no restart mends it. */
export class UnusablePath extends Error {
  override readonly name = "UnusablePath";
}

/**
 * Makes a folder, and those above it that are missing, or checks the one that is
 * there. Throws UnusablePath, or the system's error, when it is not this user's
 * alone, or can't be written.
 */
export function privateFolder(path: string): void {
  const link = lstat(path);
  if (link === undefined) mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
  else if (link.isSymbolicLink() && link.uid !== 0) expectOwner(path, link);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new UnusablePath(`${path} is a link to nothing: remove it`);
  if (!found.isDirectory()) throw new UnusablePath(`${path} is no directory: move it away`);
  expectOwner(path, found);
  if ((found.mode & GROUP_OR_OTHERS) !== 0) {
    throw new UnusablePath(
      `${path} is open to other users (mode ${octal(found)}): chmod -R go-rwx ${path}`,
    );
  }
  accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  const { bsize, blocks, bfree, bavail } = statfsSync(path);
  const room = (userId() === 0 ? bfree : bavail) * bsize;
  if (blocks > 0 && room < ROOM_BYTES_MIN) {
    throw new UnusablePath(`${path}: its disk is full: make room, then start again`);
  }
}

/** Checks a file that is to be opened by its name. Throws as privateFolder() does; none there is fine. */
export function checkPrivateFile(path: string): void {
  const found = lstat(path);
  if (found === undefined) return;
  if (found.isSymbolicLink()) {
    throw new UnusablePath(`${path} is a link, and none is followed to a file: remove it`);
  }
  if (!found.isFile()) throw new UnusablePath(`${path} is no file: move it away`);
  expectOwner(path, found);
  if (found.nlink > 1) {
    throw new UnusablePath(
      `${path} has a second name (a hard link), under which it would change too: replace it by a copy`,
    );
  }
  accessSync(path, constants.R_OK | constants.W_OK);
}

/** Opens a file, making it if `flags` say so. Throws as privateFolder() does. */
export function openPrivateFile(path: string, flags: number): number {
  checkPrivateFile(path);
  return openSync(path, flags | constants.O_NOFOLLOW, FILE_MODE);
}

/** Refuses what another user owns. */
export function expectOwner(path: string, found: Stats): void {
  const user = userId();
  if (user === null || found.uid === user) return;
  throw new UnusablePath(
    `${path} belongs to user ${found.uid}, and this process runs as user ${user}: ` +
      `run it as its owner, or chown -hR ${user} ${path}`,
  );
}

function lstat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Null where the system has no users. */
function userId(): number | null {
  return process.geteuid?.() ?? null;
}

function octal({ mode }: Stats): string {
  return (mode & PERMISSIONS).toString(8).padStart(4, "0");
}
