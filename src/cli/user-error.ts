// Errors as a person meets them: one line that says what to do.
//
// A UserError's message is shown as it is. Everything else that can reach the
// top of a command is turned into one line by errorLine(), never a stack trace:
// a trace says where the program was, not what its user should do now.

import { basename } from "node:path";

/** Something the user can put right. `message` is one line that says how; the exit status is 1. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** Longest line that is shown, in characters; what is longer loses its middle, paths first. */
const LINE_LENGTH_MAX = 500;
/** Of a path in a line that is too long, this much is shown, characters; two such paths leave room for the reason. */
const PATH_BEGINNING_KEPT = 40;
const PATH_END_KEPT = 120;
/** What is shown in place of the middle. */
const LEFT_OUT = "…";

/** What the system's error codes mean to someone who starts a program. All are theirs to put right. */
const systemErrors: Readonly<Record<string, (error: NodeJS.ErrnoException) => string>> = {
  EADDRINUSE: (error) =>
    `port ${portOf(error)} is in use: stop what listens there, or choose another port`,
  EADDRNOTAVAIL: (error) =>
    `${addressOf(error)} is not an address of this machine: start this role on its own host, or choose another with --host (front ends) or --internal-host`,
  EACCES: (error) =>
    error.syscall === "listen"
      ? `not allowed to listen on port ${portOf(error)}: choose one above 1023`
      : `not allowed to use ${error.path ?? "a file"}: change its owner or permissions`,
  ENOENT: (error) => `${error.path ?? "a file"} does not exist`,
  ENOTDIR: (error) =>
    `${error.path ?? "a path"} goes through something that is no directory: give another path`,
  EEXIST: (error) => `${error.path ?? "a file"} is there already: move it away`,
  EISDIR: (error) => `${error.path ?? "a path"} is a directory, not a file: move it away`,
  ELOOP: (error) => `${error.path ?? "a path"} is a link, which isn't followed: remove it`,
  EPERM: (error) =>
    `not allowed to change ${error.path ?? "a file"}: take away what protects it (see lsattr)`,
  ENOSPC: (error) => `${error.path ?? "the disk"}: the disk is full: make room and start again`,
  EDQUOT: (error) =>
    `${error.path ?? "the disk"}: this user's share of the disk is full: make room and start again`,
  ENAMETOOLONG: (error) => `${error.path ?? "a path"} is too long: choose a shorter one`,
  EROFS: (error) =>
    `${error.path ?? "the directory"} is on a read-only disk: mount it writable, or give another path`,
  ENOTFOUND: (error) =>
    `no address is known for the host ${hostOf(error)}: choose another with --host`,
  EAI_AGAIN: (error) =>
    `no name server tells the address of the host ${hostOf(error)}: start again when one does, or give an address with --host`,
  EAFNOSUPPORT: (error) =>
    `this machine has no addresses of the kind of ${addressOf(error)}: choose another with --host`,
  EMFILE: () => "too many open files: raise the limit (ulimit -n) and start again",
};

/** Whether an error of the system is one that only its operator can put right. */
export function isOperatorsCode(code: unknown): boolean {
  return typeof code === "string" && Object.hasOwn(systemErrors, code);
}

/** One line for any error, without the name of the program. */
export function errorLine(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error));
  if (error instanceof UserError) return oneLine(error.message);
  const code = (error as NodeJS.ErrnoException).code;
  // Own-property check: a code is data, and "constructor" is not an error.
  const known = isOperatorsCode(code) && error.cause === undefined && systemErrors[code as string];
  if (known) return oneLine(known(error as NodeJS.ErrnoException));
  const text = oneLine(error.message);
  return text === "" ? error.name : text;
}

/**
 * How a value of the user's is shown inside a line: quoted, on one line, not longer than 60
 * characters, and without what is before an @, which may be a password.
 */
export function shown(value: unknown): string {
  const text = (JSON.stringify(value) ?? String(value)).replace(/^("?).*@/, "$1…@");
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Where the file was named from, short enough for a line. */
export function fileLabel(path: string): string {
  return basename(path);
}

/** The text without the passwords that are in its URLs. */
export function withoutPasswords(text: string): string {
  return text.replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s"]*@/gi, "$1…@");
}

function oneLine(text: string): string {
  const line = withoutPasswords(text.replace(/\s*\n\s*/g, " ").trim());
  if (line.length <= LINE_LENGTH_MAX) return line;
  // What is wrong and what to do stand behind the path, so it isn't the end that may go. A path goes
  // up to a colon or a quote, or so far past its end as the words behind it, which its kept end has room for.
  const shortened = line.replace(/\/[^:"]*\/[^:"]*/g, (path) =>
    withoutMiddle(path, PATH_BEGINNING_KEPT, PATH_END_KEPT),
  );
  return withoutMiddle(shortened, LINE_LENGTH_MAX / 2, LINE_LENGTH_MAX / 2);
}

/** The text if it is short, else its beginning and its end, of these lengths. */
function withoutMiddle(text: string, beginning: number, end: number): string {
  if (text.length <= beginning + end) return text;
  return `${text.slice(0, beginning)}${LEFT_OUT}${text.slice(-end)}`;
}

function portOf(error: Error): string {
  const port = (error as { port?: unknown }).port;
  return typeof port === "number" ? String(port) : "(unknown)";
}

function hostOf(error: Error): string {
  const host = (error as { hostname?: unknown }).hostname;
  return typeof host === "string" ? host : "that was given";
}

function addressOf(error: Error): string {
  const address = (error as { address?: unknown }).address;
  return typeof address === "string" ? address : "the host";
}
