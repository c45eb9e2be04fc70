// What the processes say to each other: every call, its arguments and answers.
//
// One schema per call: the receiver checks what comes in against it, and the
// types of both sides come from it. Calls that a client's request causes are
// coalesced: one `ask` carries all the questions of an event-loop turn.
//
//   front end → order replica   ask, health, nominate, notifyLeader
//   front end → catalog         lookup, stocks, lease, holding
//   anybody   → catalog         find, update
//   order replica → front end   beat
//   catalog   → front end       hold
//   order replica ↔ replica     message
//   catalog   → order replica   follow, held, ask (for find and update)
//   order leader → catalog      entries
//   command line → both         status, audit

import { z } from "zod";
import { NAME_LETTERS_MAX } from "../core/market/limits.ts";
import { QUESTIONS_PER_CALL_MAX, STOCKS_PER_PIECE_MAX } from "../core/service/limits.ts";
import { replicationContract } from "../io/log/envelope-schema.ts";
import type { Contract } from "../io/rpc/types.ts";
import { tracesSchema } from "./trace.ts";

/** Limits on what one call may carry; a bigger call is split by the sender, refused by the receiver. */
export const NAMES_PER_CALL_MAX = 4_096;
/** Stocks that one piece of the journal can change: each takes some bytes of it, and a frame has 16 MiB. */
export const NAMES_PER_HOLD_MAX = 1 << 20;
export const ROWS_PER_PAGE_MAX = 1_000;
export const REQUEST_ID_LENGTH_MAX = 128;
/** Characters of a name that is answered: stocks listed before names had a limit keep theirs. */
export const WRITTEN_NAME_LENGTH_MAX = 65_536;

const replicaId = z.int().min(1).max(65_535);
const position = z.int().min(0);
const epoch = z.int().min(0);
const counter = z.int().min(0);
/** A name that is asked for. */
const name = z.string().max(NAME_LETTERS_MAX);
/** A name as the journal has it; or as somebody asks for it who is told what is wrong with it. */
const writtenName = z.string().max(WRITTEN_NAME_LENGTH_MAX);
const requestId = z.string().min(1).max(REQUEST_ID_LENGTH_MAX);

/** A stock as an answer carries it. */
export const stockSchema = z.object({
  name: writtenName,
  price: z.number(),
  quantity: z.int().min(0),
});

/** An order as a client sees it. */
export const orderSchema = z.object({
  number: z.int().min(1),
  name: writtenName,
  type: z.enum(["buy", "sell"]),
  quantity: z.int().min(1),
});
export type OrderView = z.infer<typeof orderSchema>;

const contentSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("trade"),
    name,
    type: z.string().max(NAME_LETTERS_MAX),
    quantity: z.number(),
  }),
  z.object({ kind: z.literal("list"), name, price: z.number(), quantity: z.number() }),
  z.object({ kind: z.literal("adjust"), name, by: z.number() }),
]);

/** Which stocks of all are wanted; see core/market/stock-lists.ts. */
const stocksQuestion = {
  after: writtenName,
  limit: z.int().min(1).max(STOCKS_PER_PIECE_MAX),
  list: position.nullable().optional(),
  known: position.optional(),
  containing: name.optional(),
};

/** One thing a client wants of the leader. Safe to ask again: changes carry a request id. */
export const questionSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("request"),
    requestId,
    content: contentSchema,
    recordRefusal: z.boolean(),
  }),
  z.object({ kind: z.literal("order"), number: z.int().min(1) }),
  z.object({
    kind: z.literal("orders"),
    after: z.int().min(0),
    limit: z.int().min(1).max(ROWS_PER_PAGE_MAX),
  }),
  z.object({ kind: z.literal("lookup"), name }),
  z.object({ kind: z.literal("stocks"), ...stocksQuestion }),
]);
export type Question = z.infer<typeof questionSchema>;

const refusalSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("invalid-quantity"), quantity: z.number() }),
  z.object({ kind: z.literal("unknown-type"), type: z.string() }),
  z.object({ kind: z.literal("unknown-stock"), name: z.string() }),
  z.object({ kind: z.literal("insufficient-volume"), name: z.string() }),
  z.object({ kind: z.literal("stock-exists"), name: z.string() }),
]);

const outcomeSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("accepted"), number: z.int().min(1) }),
  z.object({ kind: z.literal("listed") }),
  z.object({ kind: z.literal("adjusted") }),
  z.object({ kind: z.literal("refused"), refusal: refusalSchema }),
  z.object({ kind: z.literal("reused") }),
]);

const stocksAnswers = [
  z.object({
    kind: z.literal("stocks"),
    stocks: z.array(stockSchema),
    next: writtenName.nullable(),
    total: z.int().min(0),
    position,
  }),
  z.object({ kind: z.literal("unchanged"), position }),
  z.object({ kind: z.literal("gone") }),
] as const;

/** The answer to one question, in the order asked. */
export const answerSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("outcome"), outcome: outcomeSchema }),
  z.object({ kind: z.literal("order"), order: orderSchema.nullable() }),
  z.object({ kind: z.literal("orders"), orders: z.array(orderSchema), next: z.int().nullable() }),
  /** `stock` is null for an unknown name. `position`: the journal position this is true at. */
  z.object({ kind: z.literal("stock"), stock: stockSchema.nullable(), position }),
  ...stocksAnswers,
  /** The leader has too much in hand; ask again later, or tell the client. Nothing was done. */
  z.object({ kind: z.literal("busy") }),
]);
export type Answer = z.infer<typeof answerSchema>;

/** The answer to a whole `ask`. */
export const askResultSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("answers"), answers: z.array(answerSchema) }),
  /** Not asked of a leader; nothing was done. `leader` is who to ask, if known. */
  z.object({ kind: z.literal("not-leader"), leader: replicaId.nullable() }),
  /** The leader was deposed, or lost, on the way: the fate is unknown; ask again with the same request ids. */
  z.object({ kind: z.literal("unknown") }),
]);
export type AskResult = z.infer<typeof askResultSchema>;

/** How a replica describes itself to a front end, on `health` and on every beat. */
export const healthSchema = z.object({
  replica: replicaId,
  /** Whether it leads, with its reign committed: it can answer. */
  leads: z.boolean(),
  /** Whom it follows (itself when leading); null when it hears no leader. */
  leader: replicaId.nullable(),
  epoch,
  lastPosition: position,
  commitPosition: position,
});
export type Health = z.infer<typeof healthSchema>;

export const nominateResultSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("leading"), epoch }),
  z.object({ kind: z.literal("follows"), leader: replicaId, epoch }),
  z.object({ kind: z.literal("lost"), reason: z.string() }),
]);
export type NominateResult = z.infer<typeof nominateResultSchema>;

/** A committed entry on its way to a catalog. `command` is null for the log's own entries. */
export const committedEntrySchema = z.object({
  position: z.int().min(1),
  epoch,
  at: z.number(),
  command: z.custom<Uint8Array>((value) => value instanceof Uint8Array).nullable(),
});

/** One line of `bazaar status`. */
export const statusSchema = z.object({
  role: z.string(),
  pid: z.int(),
  up: z.literal(true),
  leads: z.boolean().optional(),
  leader: replicaId.nullable().optional(),
  /** Of a replica: whether it votes; a replacement doesn't before it is admitted. */
  vote: z.boolean().optional(),
  epoch: epoch.optional(),
  last: position.optional(),
  commit: position.optional(),
  exposed: position.optional(),
  applied: position.optional(),
  /** Of a catalog: whether it may answer now, and the front ends that it lets answer from copies. */
  leased: z.boolean().optional(),
  leasedTo: z.array(z.string()).optional(),
});
export type RoleStatus = z.infer<typeof statusSchema>;

/** What `bazaar verify` compares. Digests are hex SHA-256 over a canonical form. */
export const orderAuditSchema = z.object({
  position,
  entries: z.int(),
  orders: z.int(),
  requests: z.int(),
  /** Running digest of the journal at `position`. */
  journalDigest: z.string(),
  ordersDigest: z.string(),
  requestsDigest: z.string(),
  /** Digest of all stocks at each position asked for, in the order asked. */
  stocksDigests: z.array(z.string()),
  /** What is wrong inside this replica: M1 to M3, or tables that differ from the journal. */
  problems: z.array(z.string()),
});
export type OrderAudit = z.infer<typeof orderAuditSchema>;

export const catalogAuditSchema = z.object({ position, stocks: z.int(), stocksDigest: z.string() });
export type CatalogAudit = z.infer<typeof catalogAuditSchema>;

/** Answers of the catalog, by the seed's status codes. */
export const catalogResultSchema = z.object({ status: z.int(), message: z.string() });
export type CatalogResult = z.infer<typeof catalogResultSchema>;

/** A stock, or why there is none, as `GET /stocks/NAME` says it. */
export const findResultSchema = z.union([
  z.object({ status: z.literal(200), data: stockSchema }),
  catalogResultSchema,
]);
export type FindResult = z.infer<typeof findResultSchema>;

/** A promise of freshness for a short time; see core/coherence/lease-holder.ts. */
export const grantSchema = z.object({
  epoch,
  ask: counter,
  ms: z.number().min(0),
  exposed: position,
  sent: position,
});

/** What a replica answers a catalog that follows it. */
const followingSchema = z.object({ leads: z.boolean(), epoch, grant: grantSchema.nullable() });
export type Following = z.infer<typeof followingSchema>;

/** A catalog without a lease can't answer: ask the leader. */
const unleased = z.object({ kind: z.literal("unleased") });

/** From a front end: it stops, once it has answered what it holds. */
const leaving = { argument: z.object({}) } as const;

/** Served by every order replica. */
export const orderContract = {
  /** Replication traffic between replicas. */
  ...replicationContract,
  ask: {
    argument: z.object({
      relayed: z.boolean(),
      questions: z.array(questionSchema).min(1).max(QUESTIONS_PER_CALL_MAX),
      traces: tracesSchema,
    }),
    result: askResultSchema,
  },
  health: { argument: z.object({}), result: healthSchema },
  nominate: { argument: z.object({}), result: nominateResultSchema },
  notifyLeader: { argument: z.object({ leader: replicaId }), result: z.object({}) },
  /**
   * A catalog says to every replica, every LEASE_ASK_MS, what it has received;
   * whoever leads sends it the rest. With an `ask`, and `epoch` the leader's, it asks for a lease.
   */
  follow: {
    argument: z.object({ received: position, epoch, ask: counter.nullable() }),
    result: followingSchema,
  },
  /** A catalog has received everything up to `received`, and its front ends hold up to `held`. */
  held: { argument: z.object({ epoch, received: position, held: position }) },
  leaving,
  status: { argument: z.object({}), result: statusSchema },
  audit: {
    argument: z.object({ position, stocksAt: z.array(position).max(16) }),
    result: orderAuditSchema,
  },
} as const satisfies Contract;

/** Served by every catalog. */
export const catalogContract = {
  /** Names and stocks pair up; null for an unknown one. `position`: what all of them are true at. */
  lookup: {
    argument: z.object({
      names: z.array(name).min(1).max(NAMES_PER_CALL_MAX),
      traces: tracesSchema,
    }),
    result: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("stocks"), stocks: z.array(stockSchema.nullable()), position }),
      unleased,
    ]),
  },
  /** Further pieces of a list need no lease. */
  stocks: {
    argument: z.object({ ...stocksQuestion, traces: tracesSchema }),
    result: z.discriminatedUnion("kind", [...stocksAnswers, unleased]),
  },
  /** A front end asks for a lease, saying what it holds of this catalog; null: nothing known. */
  lease: {
    argument: z.object({ ask: counter, held: position.nullable() }),
    result: z.object({ grant: grantSchema.nullable() }),
  },
  /** A front end has dropped what it was told to, up to here. */
  holding: { argument: z.object({ through: position }) },
  leaving,
  /** One stock, from the leader where the catalog can't say itself. */
  find: { argument: z.object({ name: writtenName }), result: findResultSchema },
  /** `by` is anything, as in the seed; `requestId` makes a retry count once. */
  update: {
    argument: z.object({
      name: writtenName,
      by: z.unknown(),
      requestId: requestId.optional(),
    }),
    result: catalogResultSchema,
  },
  /** From the leader: the committed entries that follow `after`, to be held, and up to where all are exposed. */
  entries: {
    argument: z.object({
      leader: replicaId,
      epoch,
      exposed: position,
      after: position,
      entries: z.array(committedEntrySchema),
    }),
  },
  status: { argument: z.object({}), result: statusSchema },
  audit: { argument: z.object({ position }), result: catalogAuditSchema },
} as const satisfies Contract;

/** Served by every front end, on the connections it opens. */
export const frontendContract = {
  /** From a replica, every 50 ms and at each change. */
  beat: { argument: healthSchema },
  /** From a catalog: these stocks changed in (after, through]; drop them, and take no copy older than `through`. */
  hold: {
    argument: z.object({
      after: position,
      through: position,
      names: z.array(writtenName).max(NAMES_PER_HOLD_MAX),
    }),
  },
} as const satisfies Contract;
