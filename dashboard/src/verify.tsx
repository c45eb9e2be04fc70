// The check that nothing is lost, made when somebody asks for it: all replicas
// and catalogs are compared, and counted against what this front end answered.

import { useState } from "preact/hooks";
import type { Verified } from "../../src/roles/frontend/http/service-routes.ts";
import { clock, exact } from "./format.ts";

type State =
  | { readonly kind: "idle" | "asking" }
  | { readonly kind: "found"; readonly verified: Verified }
  | { readonly kind: "unanswered" };

export function Verify() {
  const [state, setState] = useState<State>({ kind: "idle" });
  const ask = async () => {
    setState({ kind: "asking" });
    setState(await verify());
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

async function verify(): Promise<State> {
  try {
    const response = await fetch("/verify", { method: "POST" });
    const { data } = await response.json();
    return response.ok ? { kind: "found", verified: data } : { kind: "unanswered" };
  } catch {
    return { kind: "unanswered" };
  }
}

function words(state: State): { title: string; text: string; tone: "" | "good" | "bad" } {
  if (state.kind === "unanswered") return { title: "No answer.", text: "Try again.", tone: "bad" };
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
