// The seed's words that more than one role says.

/** No stock of this name is on offer. */
export function unknownStockText(name: string): string {
  return `Bad request. ${name} stock not found in db`;
}
