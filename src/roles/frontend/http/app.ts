// The public HTTP interface, apart from listening: build() makes an instance
// that tests can inject requests into without a port.
//
// What each route answers is in the files named …-routes.ts, the words in
// http-answer.ts, everything that goes wrong in http-errors.ts.

import Fastify, { type FastifyInstance } from "fastify";
import { validatorCompiler } from "fastify-type-provider-zod";
import type { Logger } from "pino";
import type { InvariantViolation } from "../../../core/invariant.ts";
import { HostNames } from "../../../io/host-names.ts";
import { Complaints } from "../../../io/rpc/complaints.ts";
import type { Certificates } from "../../../io/tls/certificates.ts";
import type { Feed } from "../feed/events.ts";
import { eventRoutes } from "../feed/events-routes.ts";
import { type GatheredStepsFeed, stepsRoute } from "../feed/events-steps.ts";
import {
  COMPLAINT_INTERVAL_MS,
  HEADER_BYTES_MAX,
  PAGES_AT_ONCE_MAX,
  PAGES_WAITING_MAX,
  REQUEST_CHECK_INTERVAL_MS,
  REQUEST_RECEIVE_LIMIT_MS,
} from "../limits.ts";
import { type FrontendMetrics, metricsRoute, NO_ROUTE } from "../metrics.ts";
import { orderRoutes } from "../orders/order-routes.ts";
import type { Orders } from "../orders/order-service.ts";
import { Trades } from "../orders/trades.ts";
import { type StockLookups, stockRoutes } from "../stocks/stock-routes.ts";
import { type Access, accessHook, openAccess, type Recorder } from "./access.ts";
import { apiDocuments } from "./api-documents.ts";
import { type ConnectionLimits, limitConnections } from "./connections.ts";
import { directly } from "./direct.ts";
import { RATE_LIMITED } from "./http-answer.ts";
import { badConnection, badUrl, handleErrors, handleOddRequests } from "./http-errors.ts";
import { Lane } from "./lane.ts";
import { answersOrigins, corsHook, foreignTo } from "./origins.ts";
import { pageRoutes } from "./page.ts";
import { type Playground, playgroundRoutes } from "./playground.ts";
import { keyLimiter, limitAddresses, type RateLimits } from "./rate-limits.ts";
import { RequestGate } from "./request-gate.ts";
import { logRequests } from "./request-log.ts";
import { RequestTraces } from "./request-traces.ts";
import { serviceRoutes, type VerifyOptions, verifyRoute } from "./service-routes.ts";

export interface AppOptions {
  readonly orders: Pick<Orders, "ask" | "isFull" | "leader" | "health">;
  readonly stocks: StockLookups;
  /** The reference program's lines go here, at debug; unexpected errors, at error. */
  readonly log: Logger;
  /** Where the traces of requests are kept while these are under way; one of its own unless told. */
  readonly traces?: RequestTraces;
  /** Sites whose pages may ask and trade: `https://shop.example`, or `*`; none unless told. */
  readonly corsOrigins?: readonly string[];
  /** Who may ask for what; everybody everything unless told. */
  readonly access?: Access;
  /** What trades are written down in; nothing unless told. */
  readonly audit?: Recorder | undefined;
  /** Before everything else; names of this machine alone pass unless told. */
  readonly gate?: RequestGate;
  /** How much each address may ask for; all it likes unless told. */
  readonly rates?: RateLimits;
  /** What GET /metrics tells; without it there is no such route. */
  readonly metrics?: FrontendMetrics;
  /** Of the bazaar, for GET /openapi.json. */
  readonly version?: string;
  /** What GET /events tells; without it there is no such route. */
  readonly feed?: Feed;
  /** What GET /steps asks; without it there is no such route. */
  readonly steps?: GatheredStepsFeed;
  /** What POST /verify asks; without it there is no such route. */
  readonly verification?: VerifyOptions;
  /** The `up` to play with; without it there is no such route. */
  readonly playground?: Playground;
  /** It was started with --insecure, which the page says; not unless told. */
  readonly isInsecure?: boolean;
  /** What HTTPS is served with; HTTP unless told. */
  readonly https?: Certificates | null | undefined;
  /** Default: as in limits.ts. */
  readonly connectionLimits?: ConnectionLimits;
  /** A broken invariant showed in a route: the process must stop. Nothing unless told. */
  readonly broken?: (violation: InvariantViolation) => void;
}

/** Browsers and programs of today speak TLS 1.2 or 1.3; what is older has faults that can't be mended. */
function tlsOptions({ texts }: Certificates) {
  return {
    ...texts,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: REQUEST_RECEIVE_LIMIT_MS,
  } as const;
}

/** The app, ready for inject() or listen(). */
export function build(options: AppOptions): FastifyInstance {
  const { orders, stocks, log } = options;
  const traces = options.traces ?? new RequestTraces(log);
  const gate = options.gate ?? new RequestGate(new HostNames("127.0.0.1", []));
  const http = {
    // Node takes the longer of the two for the whole request, and 60 s for the headers unless told.
    headersTimeout: REQUEST_RECEIVE_LIMIT_MS,
    requestTimeout: REQUEST_RECEIVE_LIMIT_MS,
    // The gate judges Host, with words; of a second one it would otherwise not hear.
    requireHostHeader: false,
    joinDuplicateHeaders: true,
    maxHeaderSize: HEADER_BYTES_MAX,
    connectionsCheckingInterval: REQUEST_CHECK_INTERVAL_MS,
  };
  const { https } = options;
  const app = Fastify({
    requestTimeout: REQUEST_RECEIVE_LIMIT_MS,
    ...(https ? { https: { ...http, ...tlsOptions(https) } } : { http }),
    routerOptions: { maxParamLength: HEADER_BYTES_MAX },
    // Else it loads compilers of JSON schemas, a tenth of the time to start, that nothing here has.
    schemaController: {
      compilersFactory: {
        // Typed for schemas of JSON alone.
        buildValidator: () => validatorCompiler as never,
        buildSerializer: () => () => JSON.stringify,
      },
    },
    // A request that comes while the server closes is still answered.
    return503OnClosing: false,
    frameworkErrors: badUrl(log),
    clientErrorHandler: badConnection(gate),
  });
  app.removeAllContentTypeParsers(); // only POST /orders has a body worth reading
  const broken = options.broken ?? (() => {});
  const corsOrigins = options.corsOrigins ?? [];
  const isForeign = foreignTo(corsOrigins);
  const trades = new Trades(orders, log, isForeign, options.feed, options.audit);
  const { metrics } = options;
  metrics?.tradeEnds(trades.ends);
  logRequests(app, log, traces);
  const answerOrigin = answersOrigins(corsOrigins);
  if (answerOrigin) corsHook(app, answerOrigin);
  const durations = metrics?.durations ?? { ended() {} };
  const { rates } = options;
  const complaints = new Complaints(log, COMPLAINT_INTERVAL_MS);
  const rating = rates && {
    limits: rates,
    answerOrigin,
    refused: (policy: "address" | "key", name: string): void => {
      // The router, or who answers past it, tells of those that have come to a route.
      if (policy === "address") durations.ended(NO_ROUTE, RATE_LIMITED, performance.now());
      complaints.warn(name, { [policy]: name }, `Requests of ${policy} beyond --rate-limit`);
    },
  };
  if (rates) metrics?.rateLimited(() => rates.refused);
  const limitKey = rating ? keyLimiter(rating) : null;
  const access = options.access ?? openAccess();
  accessHook(app, access, limitKey);
  if (metrics) metricsRoute(app, metrics);
  handleErrors(app, log, broken);
  handleOddRequests(app.server, gate);
  apiDocuments(app, options.version ?? "0.0.0");
  const pages = new Lane({
    atOnceMax: PAGES_AT_ONCE_MAX,
    waitingMax: PAGES_WAITING_MAX,
    nowMs: () => performance.now(),
  });
  app.register(async (scope) => {
    stockRoutes(scope, stocks, log, isForeign, pages);
    serviceRoutes(scope, orders, gate);
    if (options.verification) verifyRoute(scope, options.verification, isForeign);
  });
  app.register(orderRoutes(orders, trades, pages));
  app.register(pageRoutes(options.isInsecure));
  if (options.feed) eventRoutes(app, options.feed);
  if (options.steps) stepsRoute(app, options.steps);
  if (options.playground) app.register(playgroundRoutes(options.playground));
  directly(app.server, { access, limitKey, stocks, trades, durations, answerOrigin, log, broken });
  if (rating) limitAddresses(app.server, rating);
  limitConnections(app.server, options.connectionLimits);
  gate.guard(app.server, (status) => durations.ended(NO_ROUTE, status, performance.now()));
  return app;
}
