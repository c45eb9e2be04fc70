// What the page may do to processes under `bazaar up --playground`. Who may is
// told by a token in the address that `up` printed: it is taken from there at
// once, so that it stays in no history and on no screen that others see, kept
// for this tab, and sent along with each command. Who hasn't it looks on.

import { useEffect, useState } from "preact/hooks";
import type { PlaygroundCommand } from "../../src/roles/frontend/http/playground-commands.ts";
import type { Visit } from "./key.tsx";

export type { PlaygroundCommand };

export interface PlaygroundAccess {
  /** Carries a command out; null for who may only look on. */
  readonly send: ((command: PlaygroundCommand) => void) | null;
  /** Why this page may only look on, or what went wrong last; "" if nothing did. */
  readonly problem: string;
}

const URL = "/playground";
const TOKEN_KEY = "playground";
const FRAGMENT = /^#playground=([\w-]+)$/;

/** Takes the token out of the address, if it is there. Call it before anything is shown. */
export function takeToken(): void {
  const [, token] = FRAGMENT.exec(location.hash) ?? [];
  if (token === undefined) return;
  sessionStorage.setItem(TOKEN_KEY, token);
  history.replaceState(null, "", location.pathname);
}

/** Null where there is no playground, and until it is known whether this page may play. */
export function usePlayground(isThere: boolean, visit: Visit): PlaygroundAccess | null {
  const [refusal, setRefusal] = useState<string | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    // Anew after each lost connection: the front end may be another run's.
    const ask = () => {
      setRefusal(null);
      setProblem("");
      if (isThere) void tell(visit).then(setRefusal);
    };
    // The address with the token, opened in a tab that has the page already.
    const onHash = () => {
      takeToken();
      ask();
    };
    ask();
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, [isThere, visit]);
  if (!isThere || refusal === null) return null;
  if (refusal !== "") return { send: null, problem: refusal };
  return {
    problem,
    send: (command) => {
      setProblem("");
      void tell(visit, command).then(setProblem);
    },
  };
}

/**
 * Sends a command, or without one asks whether this page may. What is wrong, or "". A front end that
 * is killed can't answer, which is no problem.
 */
async function tell({ ask }: Visit, command?: PlaygroundCommand): Promise<string> {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = token === null ? {} : { "bazaar-playground": token };
  try {
    const response = await ask(URL, {
      ...(command && { method: "POST", body: JSON.stringify(command) }),
      headers: { ...headers, ...(command && { "content-type": "application/json" }) },
    });
    if (response.ok) return "";
    const { error } = await response.json();
    return String(error?.message ?? response.status);
  } catch {
    return "";
  }
}
