// GET /openapi.json, made from the routes' own schemas, and /docs, which shows
// it to people. Nothing on that page comes from elsewhere, and the browser is
// told to hold it to that.
//
// The page's script has 4 MB: it is loaded when somebody first asks for it, in
// an app of its own, since the public one takes no routes once it listens.

import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import fastifySwagger from "@fastify/swagger";
import Fastify, { type FastifyInstance } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { JSON_HEADERS } from "./http-answer.ts";

const DESCRIPTION =
  "A stock bazaar whose orders can't be lost. Success is status 200 and `{data}`; anything " +
  "else is `{error: {code, message}}`, the code being the status.";

const DOCUMENT_URL = "/openapi.json";
const PAGE_URL = "/docs";
const SCRIPT_URL = `${PAGE_URL}/js/scalar.js`;
const NONCE_BYTES = 16;
const zipped = promisify(gzip);

/** Registers both; before the routes that they describe, which are those with a schema. */
export function apiDocuments(app: FastifyInstance, version: string): void {
  app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Stock Bazaar", description: DESCRIPTION, version, license: { name: "MIT" } },
      components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
      // Without one, too: a bazaar that has no keys asks for none.
      security: [{}, { key: [] }],
    },
    transform: (route) =>
      route.schema ? jsonSchemaTransform(route) : { schema: { hide: true }, url: route.url },
  });
  app.register(async (scope) => {
    let text: string | null = null;
    scope.get(DOCUMENT_URL, (_request, reply) => {
      text ??= JSON.stringify(withHeaders(scope.swagger() as Documented));
      return reply.headers(JSON_HEADERS).send(text);
    });

    let page: Promise<FastifyInstance> | null = null;
    scope.addHook("onClose", async () => (await page)?.close());
    for (const url of [PAGE_URL, `${PAGE_URL}/`, SCRIPT_URL]) {
      scope.get(url, async (request, reply) => {
        page ??= referencePage();
        const { routing } = await page;
        reply.hijack();
        routing(request.raw, reply.raw);
      });
    }
  });
}

interface Documented {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
}
interface DocumentedOperation {
  readonly responses?: Readonly<Record<string, { headers?: object }>>;
}

/** Puts the answers' headers in: a route's schema has no place for them. */
function withHeaders(document: Documented): Documented {
  for (const [path, operations] of Object.entries(document.paths ?? {})) {
    for (const [method, { responses = {} }] of Object.entries(operations)) {
      const isTrade = method === "post" && path === "/orders";
      for (const [status, response] of Object.entries(responses)) {
        const headers = {
          ...(["429", "503"].includes(status) && { "Retry-After": RETRY_AFTER }),
          ...(isTrade && !["403", "429"].includes(status) && { "Idempotency-Key": KEY }),
        };
        if (Object.keys(headers).length > 0) response.headers = headers;
      }
    }
  }
  return document;
}

const RETRY_AFTER = {
  description: "Seconds to wait before asking again",
  required: true,
  schema: { type: "integer" },
} as const;
const KEY = {
  description: "What the trade was done under, the client's or one made; not where the key is none",
  schema: { type: "string" },
} as const;

/** An app with the page alone. */
async function referencePage(): Promise<FastifyInstance> {
  const { default: reference } = await import("@scalar/fastify-api-reference");
  // One for the life of the process: the page holds nothing that somebody else wrote.
  const nonce = randomBytes(NONCE_BYTES).toString("base64");
  const headers = {
    "content-security-policy": [
      "default-src 'none'",
      `script-src 'self' 'nonce-${nonce}'`,
      "style-src 'self' 'unsafe-inline'",
      "img-src 'self' data:",
      "font-src 'self' data:",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
  const app = Fastify();
  app.addHook("onRequest", (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
  let script: Promise<Buffer> | null = null;
  app.addHook("onSend", async (request, reply, payload) => {
    if (typeof payload !== "string") return payload;
    // The package's page doesn't say what language it is in.
    if (request.url !== SCRIPT_URL) return payload.replace(/<html(?=[\s>])/, '<html lang="en"');
    reply.header("vary", "accept-encoding");
    if (!/\bgzip\b/.test(String(request.headers["accept-encoding"]))) return payload;
    script ??= zipped(payload);
    reply.header("content-encoding", "gzip");
    return script;
  });
  await app.register(reference, {
    routePrefix: PAGE_URL,
    configuration: {
      url: DOCUMENT_URL,
      nonce,
      pageTitle: "Stock Bazaar: HTTP interface",
      withDefaultFonts: false,
      telemetry: false,
      hideClientButton: true,
      showDeveloperTools: "never",
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  });
  await app.ready();
  return app;
}
