// The check that nothing is lost, made when somebody asks for it: all replicas
// and catalogs are compared, and counted against what this front end answered.

import { useState } from "preact/hooks";
import type { Verified } from "../../src/roles/frontend/http/service-routes.ts";
import { clock, exact } from "./format.ts";
import type { Visit } from "./key.tsx";

type State =
  | { readonly kind: "idle" | "asking" }
  | { readonly kind: "found"; readonly verified: Verified }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "unanswered" };

export function Verify({ visit }: { visit: Visit }) {
  const [state, setState] = useState<State>({ kind: "idle" });
  const ask = async () => {
    setState({ kind: "asking" });
    setState(await verify(visit));
  };
  const { title, text, tone } = words(state);
  return (
    <div class="verify">
      <button
        type="button"
        class="verify-button"
        disabled={state.kind === "asking"}
        onClick={() => void ask()}
      >
        {state.kind === "asking" ? "Comparing …" : "Verify"}
      </button>
      <p role="status" class={`verified ${tone}`} data-testid="verified">
        {title !== "" && <strong>{title}</strong>} {text}
      </p>
    </div>
  );
}

async function verify({ ask }: Visit): Promise<State> {
  try {
    const response = await ask("/verify", { method: "POST" });
    const { data, error } = await response.json();
    if (response.ok) return { kind: "found", verified: data };
    const isRefused = response.status === 401 || response.status === 403;
    return isRefused ? { kind: "refused", why: error.message } : { kind: "unanswered" };
  } catch {
    return { kind: "unanswered" };
  }
}

function words(state: State): { title: string; text: string; tone: "" | "good" | "bad" } {
  if (state.kind === "unanswered") return { title: "No answer.", text: "Try again.", tone: "bad" };
  if (state.kind === "refused") return { title: "Refused:", text: `${state.why}.`, tone: "bad" };
  if (state.kind !== "found") return { title: "", text: "", tone: "" };
  const { ok, orders, lost, failed, differences, at } = state.verified;
  if (lost === null) {
    return { title: "Nothing compared:", text: `${differences.join("; ")}.`, tone: "bad" };
  }
  const isGood = ok && lost === 0;
  return {
    title: `${exact(orders)} ${orders === 1 ? "order" : "orders"}, ${exact(lost)} lost, ${exact(failed)} failed`,
    text: ok ? `All copies agree, ${clock(at)}.` : `${differences.join("; ")}.`,
    tone: isGood ? "good" : "bad",
  };
}
