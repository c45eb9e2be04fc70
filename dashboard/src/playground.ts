// What the page may do to processes under `bazaar up --playground`: it fetches
// the token of this run, and sends it along with each command.

import { useEffect, useState } from "preact/hooks";
import type { PlaygroundCommand } from "../../src/roles/frontend/playground-commands.ts";

export type { PlaygroundCommand };

export interface PlaygroundAccess {
  /** What went wrong last; "" if nothing did. */
  readonly problem: string;
  readonly send: (command: PlaygroundCommand) => void;
}

/** Null where there is no playground. */
export function usePlayground(isThere: boolean): PlaygroundAccess | null {
  const [token, setToken] = useState<string | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    // Anew after each lost connection: the front end may be another run's.
    setToken(null);
    if (isThere) void fetchToken().then(setToken);
  }, [isThere]);
  if (!isThere || token === null) return null;
  return {
    problem,
    send: (command) => {
      setProblem("");
      void post(token, command).then(setProblem);
    },
  };
}

async function fetchToken(): Promise<string | null> {
  try {
    const response = await fetch("/playground");
    const { data } = await response.json();
    return typeof data?.token === "string" ? data.token : null;
  } catch {
    return null;
  }
}

/** What went wrong, or "". A front end that is killed can't answer, which is no problem. */
async function post(token: string, command: PlaygroundCommand): Promise<string> {
  try {
    const response = await fetch("/playground", {
      method: "POST",
      headers: { "content-type": "application/json", "bazaar-playground": token },
      body: JSON.stringify(command),
    });
    if (response.ok) return "";
    const { error } = await response.json();
    return String(error?.message ?? response.status);
  } catch {
    return "";
  }
}
