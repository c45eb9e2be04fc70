// Numbers as users type them.

import { shown, UserError } from "./user-error.ts";

/** A number written out in full: no letters after it, no empty text. Null when it isn't one. */
export function numberIn(text: string): number | null {
  if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

/** The number that `option` was given. Throws UserError when it isn't one from `min` to `max`. */
export function numberGiven(
  option: string,
  text: string,
  limits: { readonly min: number; readonly max: number; readonly isWhole: boolean },
): number {
  const number = numberIn(text);
  const { min, max, isWhole } = limits;
  const isRight =
    number !== null && number >= min && number <= max && (!isWhole || Number.isInteger(number));
  if (isRight) return number;
  const wanted = `a ${isWhole ? "whole " : ""}number from ${min} to ${max}`;
  throw new UserError(`${option} must be ${wanted}, not ${shown(text)}`);
}
