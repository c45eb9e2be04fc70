// Deliberate bugs, to show that the simulation finds them. Each is a change of
// one line of the core, made while the file is loaded; the core itself has no
// switch for it. A change that doesn't apply exactly once is an error.

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

export interface Bug {
  readonly name: string;
  /** Relative to src/core/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const BUGS: readonly Bug[] = [
  {
    name: "ack-before-fsync",
    file: "replication/context.ts",
    find: "if (newest)",
    replace: "if (newest && message.kind !== 'ack')",
  },
  {
    name: "append-does-not-raise-promise",
    file: "replication/replica.ts",
    find: "context.promise(epoch, from);\n      this.#endOlderReign(from);",
    replace: "this.#endOlderReign(from);",
  },
  {
    name: "ack-of-own-last-position",
    file: "replication/replica.ts",
    find: 'context.sendDurably(from, { kind: "ack", epoch, round, position, goBackTo: null });',
    replace:
      'context.sendDurably(from, { kind: "ack", epoch, round, position: context.log.last.position, goBackTo: null });',
  },
];

/** The bug of this name; throws with all names if there is none. */
export function bugNamed(name: string): Bug {
  const bug = BUGS.find((candidate) => candidate.name === name);
  if (!bug)
    throw new Error(`no bug named ${name}; there are: ${BUGS.map((each) => each.name).join(", ")}`);
  return bug;
}

/** Changes the file as it is loaded from now on. */
export function plant(bug: Bug): void {
  const url = new URL(`../src/core/${bug.file}`, import.meta.url);
  const source = readFileSync(fileURLToPath(url), "utf8");
  if (source.split(bug.find).length !== 2)
    throw new Error(`${bug.name} doesn't apply to ${bug.file} exactly once`);
  registerHooks({
    load(loaded, context, next) {
      if (loaded !== url.href) return next(loaded, context);
      return {
        format: "module-typescript",
        source: source.replace(bug.find, () => bug.replace),
        shortCircuit: true,
      };
    },
  });
}
