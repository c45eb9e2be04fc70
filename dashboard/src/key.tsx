// The key of who looks at the page, where the bazaar asks for one: how it is asked
// for, what it is good for, and what sends it. It is in memory and nowhere else,
// so that a reload, and whoever uses the browser next, is asked again.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { isApiKey, keyHeaders } from "../../src/client/arguments.ts";
import { BazaarClient } from "../../src/client/index.ts";
import type { KeyPart } from "./model.ts";

/** What the page asks the bazaar with. */
export interface Visit {
  readonly key: string | null;
  readonly bazaar: BazaarClient;
  /** For what the client doesn't ask. */
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>;
}

/** With this key, or without any. */
export function visitWith(key: string | null): Visit {
  return {
    key,
    bazaar: new BazaarClient({ url: location.origin, key: () => key }),
    ask: async (path, init) =>
      fetch(path, { ...init, headers: { ...init?.headers, ...(await keyHeaders(() => key)) } }),
  };
}

/** Whether who was let in so may do that: everything in a bazaar that asks for no key. */
export function mayDo(key: KeyPart | null, right: string): boolean {
  return key === null || key.may.includes(right);
}

interface KeyFormProps {
  readonly title: string;
  /** Why the key that was given isn't taken; "" as long as none was refused. */
  readonly problem: string;
  /** A key was given, and what comes of it isn't known yet. */
  readonly isOpening: boolean;
  readonly onKey: (key: string) => void;
}

export function KeyForm({ title, problem, isOpening, onKey }: KeyFormProps) {
  const [text, setText] = useState("");
  const [isMistyped, setIsMistyped] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  const wrong = isMistyped ? "No key has blanks or letters like these" : problem;
  useEffect(() => {
    if (isOpening) return;
    field.current?.focus();
    field.current?.select();
  }, [isOpening]);
  return (
    <main class="waiting">
      <form
        class="panel key-form"
        aria-labelledby={`${id}-title`}
        onSubmit={(event) => {
          event.preventDefault();
          const key = text.trim();
          setIsMistyped(!isApiKey(key));
          if (isApiKey(key) && !isOpening) onKey(key);
        }}
      >
        <h2 id={`${id}-title`}>{title}</h2>
        <p id={`${id}-hint`} class="hint">
          It must be a key that may read, of all stocks. Whoever runs the bazaar makes one with{" "}
          <code>npx bazaar key add</code>. This page keeps it in memory only, and asks again after a
          reload.
        </p>
        <label class="field">
          <span>Key</span>
          <input
            ref={field}
            name="key"
            type="password"
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            required
            aria-describedby={`${id}-hint ${id}-problem`}
            aria-invalid={wrong !== ""}
            value={text}
            onInput={(event) => {
              setText(event.currentTarget.value);
              setIsMistyped(false);
            }}
          />
        </label>
        <p id={`${id}-problem`} role="alert" class="problem" data-testid="key-problem">
          {wrong !== "" && !isOpening && `${wrong}.`}
        </p>
        <button type="submit" class="go buy" aria-disabled={isOpening}>
          <span class="go-word">{isOpening ? "Opening …" : "Open the bazaar"}</span>
        </button>
      </form>
    </main>
  );
}

/** Whose key it is, and the way out. */
export function KeyInUse({ of: { name, may }, onSignOut }: { of: KeyPart; onSignOut: () => void }) {
  return (
    <p class="key-in-use" data-testid="key-in-use">
      <span>
        Key <strong>{name}</strong>, may {may.join(", ")}
      </span>
      <button type="button" class="verify-button" onClick={onSignOut}>
        Sign out
      </button>
    </p>
  );
}
