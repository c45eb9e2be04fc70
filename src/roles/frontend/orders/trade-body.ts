// What a client may send to trade, read from the bytes of a POST.
//
// The body is JSON whatever its Content-Type says. It is read with a plain
// JSON.parse: a key __proto__ makes a property like any other, and only the
// three we know are taken over, so there is nothing to poison.

import { z } from "zod";

/** A trade as it is asked for; whether it makes sense is the leader's to say. */
export const tradeSchema = z.object(
  {
    name: z.string(mustBe("name", "a string")),
    quantity: z
      .number(mustBe("quantity", "a whole number"))
      .refine(Number.isInteger, "quantity must be a whole number"),
    type: z.string(mustBe("type", "a string")),
  },
  "it must be an object with name, quantity and type",
);
export type Trade = z.infer<typeof tradeSchema>;

/** A trade, or what is wrong with the body, for the client. */
export type TradeReading = { readonly value: Trade } | { readonly wrong: string };

/** Reads bodies; make one and use it for all. */
export function tradeReader(): (body: unknown) => TradeReading {
  // Refuses what is no UTF-8, instead of trading a name with holes; passes over a byte order mark.
  const decoder = new TextDecoder("utf-8", { fatal: true });
  return (body) => {
    if (!(body instanceof Uint8Array) || body.length === 0) return wrong("the body is empty");
    let data: unknown;
    try {
      data = withFiniteQuantity(JSON.parse(decoder.decode(body)));
    } catch (error) {
      return wrong(error instanceof SyntaxError ? "the body is no JSON" : "the body is no UTF-8");
    }
    if (Array.isArray(data)) return wrong("it must be an object, not an array");
    const read = tradeSchema.safeParse(data);
    if (read.success) return { value: read.data };
    return wrong(read.error.issues.map((issue) => issue.message).join(", "));
  };
}

/**
 * A number in JSON has no limit, ours have: one beyond, 1e400 say, is read as infinite. The largest
 * that we have is judged as it would be: it is more than there is of anything.
 */
function withFiniteQuantity(data: unknown): unknown {
  if (typeof data !== "object" || data === null || !("quantity" in data)) return data;
  const { quantity } = data;
  if (quantity === Infinity) return { ...data, quantity: Number.MAX_VALUE };
  return quantity === -Infinity ? { ...data, quantity: -Number.MAX_VALUE } : data;
}

/** Says of a field that it is missing, or of the wrong type. */
function mustBe(name: string, type: string) {
  return {
    error: (issue: { readonly input?: unknown }) =>
      issue.input === undefined ? `${name} is missing` : `${name} must be ${type}`,
  };
}

function wrong(what: string): TradeReading {
  return { wrong: what };
}
