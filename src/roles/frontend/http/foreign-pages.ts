// Keeps pages of other sites from acting here. A browser sends a plain POST of
// any page to any address, this machine's included, and only hides the answer;
// what it says of where the page is from is all there is to go by.
//
// Only browsers say it, so programs are never refused. A site that points a name
// of its own here (DNS rebinding) would look like this front end's own page under
// that name: the request gate has refused it before, by that name.

import type { IncomingMessage } from "node:http";
import { ANY_ORIGIN } from "./cors.ts";
import { failure } from "./http-answer.ts";

/** Whether a request comes from a page that may not act here. */
export type IsForeign = (request: Pick<IncomingMessage, "headers">) => boolean;

/** What such a page is told, could it read it. */
export const FOREIGN_PAGE = failure(
  403,
  "Pages of other sites may not do this, except of those named by --cors-origin",
);

/** For all pages but this front end's own and those from `origins` (`*`: for none). */
export function foreignTo(origins: readonly string[]): IsForeign {
  if (origins.includes(ANY_ORIGIN)) return () => false;
  return ({ headers }) => {
    const { origin } = headers;
    // https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header; no page can set it.
    const site = headers["sec-fetch-site"];
    // An image's address, say: such requests have no Origin.
    if (origin === undefined) return site === "cross-site" || site === "same-site";
    if (site === "same-origin" || origins.includes(origin)) return false;
    return origin.slice(origin.indexOf("://") + 3).toLowerCase() !== headers.host?.toLowerCase();
  };
}
