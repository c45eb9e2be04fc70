// What a request may ask for at most, each with its unit and its reason.
//
// They bound what a client can have every replica keep for ever: a recorded
// request is its id, its content and a few bytes beside. Only requests are held
// against them, never a journal: one that was written under other limits must
// go on being read.

/** Letters of a stock's name: more than anybody's, and few beside the rest of a recorded request. */
export const NAME_LETTERS_MAX = 64;

/** A stock's price: above any real one, and as a number of hundredths far from where numbers are no more exact. */
export const PRICE_MAX = 1_000_000_000;

/** A stock's quantity, and what one listing or adjustment moves: every whole number up to it is exact. */
export const QUANTITY_MAX = Number.MAX_SAFE_INTEGER;
