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

/** Longest part of a foreign message that is shown, in characters. */
const MESSAGE_LENGTH_MAX = 500;

/** What the system's error codes mean to someone who starts a program. */
const systemErrors: Readonly<Record<string, (error: NodeJS.ErrnoException) => string>> = {
  EADDRINUSE: (error) =>
    `port ${portOf(error)} is in use: stop what listens there, or choose another port`,
  EADDRNOTAVAIL: (error) =>
    `${addressOf(error)} is not an address of this machine: start this role on its own host, or choose another with --host`,
  EACCES: (error) =>
    error.syscall === "listen"
      ? `not allowed to listen on port ${portOf(error)}: choose one above 1023`
      : `not allowed to use ${error.path ?? "a file"}: change its owner or permissions`,
  ENOENT: (error) => `${error.path ?? "a file"} does not exist`,
  ENOTDIR: (error) => `${error.path ?? "a path"} goes through something that is no directory`,
  EISDIR: (error) => `${error.path ?? "a path"} is a directory, not a file`,
  ENOSPC: () => "the disk is full: make room and start again",
  EROFS: (error) => `${error.path ?? "the directory"} is on a read-only disk`,
  EMFILE: () => "too many open files: raise the limit (ulimit -n) and start again",
};

/** One line for any error, without the name of the program. */
export function errorLine(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error));
  if (error instanceof UserError) return oneLine(error.message);
  const code = (error as NodeJS.ErrnoException).code;
  // Own-property check: a code is data, and "constructor" is not an error.
  if (typeof code === "string" && Object.hasOwn(systemErrors, code) && error.cause === undefined) {
    const known = systemErrors[code];
    if (known) return oneLine(known(error as NodeJS.ErrnoException));
  }
  const text = oneLine(error.message);
  return text === "" ? error.name : text;
}

/** How a value of the user's is shown inside a line: quoted, on one line, not longer than 60 characters. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Where the file was named from, short enough for a line. */
export function fileLabel(path: string): string {
  return basename(path);
}

function oneLine(text: string): string {
  const line = text.replace(/\s*\n\s*/g, " ").trim();
  return line.length > MESSAGE_LENGTH_MAX ? `${line.slice(0, MESSAGE_LENGTH_MAX)}…` : line;
}

function portOf(error: Error): string {
  const port = (error as { port?: unknown }).port;
  return typeof port === "number" ? String(port) : "(unknown)";
}

function addressOf(error: Error): string {
  const address = (error as { address?: unknown }).address;
  return typeof address === "string" ? address : "the host";
}
