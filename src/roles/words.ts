// The reference program's words that more than one role says.

import { NAME_LETTERS_MAX } from "../core/market/limits.ts";

/** No stock of this name is on offer; a name that none can have isn't repeated, however long. */
export function unknownStockText(name: string): string {
  if (name.length > NAME_LETTERS_MAX) {
    return `Bad request. The name of a stock has at most ${NAME_LETTERS_MAX} letters`;
  }
  return `Bad request. ${name} stock not found in db`;
}
