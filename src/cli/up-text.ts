// What `up` says when something happens to a role: one line, with what follows
// and where to read more.

import { CRASHES_MAX } from "./restart-policy.ts";
import type { ChildExit, SupervisedRole, SupervisorEvent } from "./supervisor.ts";

/** `log` is the path of the role's log. */
export function upLine(
  event: Exclude<SupervisorEvent, { kind: "frontends-serve" | "none-left" }>,
  log: string,
): string {
  const { name } = event.role;
  if (event.kind === "serves-again") return `${name} runs again (pid ${event.pid})`;
  const how = exitText(event.exit);
  switch (event.next.kind) {
    case "restart": {
      const { afterMs } = event.next;
      const when = afterMs === 0 ? "now" : `in ${afterMs / 1_000} s`;
      return `${name} ${how}; starting it again ${when} (log: ${log})`;
    }
    case "given-up":
      return `${name} is given up after ${CRASHES_MAX} crashes in a minute, the last: it ${how} (log: ${log}); ${othersGoOn(event.role)}`;
    case "cannot-start":
      return `${name} can't start again: ${event.exit.lastWords} (log: ${log}); ${othersGoOn(event.role)}`;
    case "stays-down":
      return `${name} ${how}; it stays down (log: ${log})`;
    case "start-failed":
      return `${name} can't start: ${event.exit.lastWords || how}`;
  }
}

function exitText(exit: ChildExit): string {
  const how =
    exit.signal !== null
      ? `was ended by ${exit.signal}`
      : exit.code === 0
        ? "stopped"
        : exit.code === null
          ? "could not be started"
          : `ended with status ${exit.code}`;
  return exit.lastWords === "" ? how : `${how}: ${exit.lastWords}`;
}

function othersGoOn({ name, kind }: SupervisedRole): string {
  const command = name === kind ? kind : `${kind} ${name.slice(kind.length + 1)}`;
  return `the others go on, start it with "npx bazaar ${command}"`;
}
