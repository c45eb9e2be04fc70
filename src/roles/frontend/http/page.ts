// The web page at /, as Vite built it into dashboard/dist, compressed beside it.
//
// Nothing of it comes from elsewhere, and the browser is told to hold it to
// that: no script, style, image or connection but this front end's own, and no
// other site may frame it.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { failure, send } from "./http-answer.ts";

/** Where the built page is. */
export const PAGE_FOLDER = join(import.meta.dirname, "../../../../dashboard/dist");

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

const NOT_BUILT = failure(
  503,
  "The page isn't built in this checkout. Build it with `npm run build:page` and start the front end again. Everything else works without it",
);

/** The files' names carry their content's hash, so they may be kept for ever. */
const ASSETS_MAX_AGE_S = 31_536_000;

/** Serves the page, or says how to build it. Of a bazaar that is insecure the page says so, to strangers too. */
export function pageRoutes(isInsecure = false, folder: string = PAGE_FOLDER) {
  return async (app: FastifyInstance): Promise<void> => {
    const index = join(folder, "index.html");
    if (!existsSync(index)) {
      app.get("/", (_request, reply) => send(reply, NOT_BUILT));
      return;
    }
    if (isInsecure) {
      const text = readFileSync(index, "utf8").replace('id="floor"', 'id="floor" data-insecure');
      for (const url of ["/", "/index.html"]) {
        app.get(url, (_request, reply) =>
          reply
            .headers({ ...HEADERS, "cache-control": "no-cache" })
            .type("text/html; charset=utf-8")
            .send(text),
        );
      }
    }
    await app.register(fastifyStatic, {
      root: folder,
      // A route for each file: whatever else is asked for stays an unknown URL.
      wildcard: false,
      preCompressed: true,
      globIgnore: ["**/*.{br,gz}", ...(isInsecure ? ["index.html"] : [])],
      decorateReply: false,
      cacheControl: false,
      setHeaders: (reply, path) => {
        reply.headers(HEADERS);
        const isAsset = path.includes("/assets/");
        reply.header(
          "cache-control",
          isAsset ? `public, max-age=${ASSETS_MAX_AGE_S}, immutable` : "no-cache",
        );
      },
    });
  };
}
