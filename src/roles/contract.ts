// What the processes say to each other: every call, its arguments and answers.
//
// One schema per call: the receiver checks what comes in against it. What the
// rules speak of has its type in the core; its schema here is held against that. Calls that a client's request causes are
// coalesced: one `ask` carries all the questions of an event-loop turn.
//
// Each call names the roles that may make it; others are refused, whatever else
// they may. A role is what the handshake proved: under certificates it is in the
// certificate, on loopback it is claimed by who knows the secret.
//
// Longer than 400 lines because it is every call there is.

import { z } from "zod";
import type { Feed, Follow, Following, Held } from "../core/coherence/leader-views.ts";
import type { Grant } from "../core/coherence/lease-holder.ts";
import { KEY_NAME_LENGTH_MAX, KEY_STOCKS_LENGTH_MAX, KEYS_MAX } from "../core/market/keys.ts";
import { NAME_LETTERS_MAX } from "../core/market/limits.ts";

import type { ApiKey, Stock } from "../core/market/types.ts";
import type { Nomination, ReplicaHealth } from "../core/selection/types.ts";
import {
  NAMES_PER_LOOKUP_MAX,
  QUESTIONS_PER_CALL_MAX,
  STOCKS_PER_PIECE_MAX,
} from "../core/service/limits.ts";
import type { CatalogAudit, OrderAudit, RoleStatus } from "../core/service/reports.ts";
import type {
  Answer,
  AskResult,
  CatalogResult,
  FindResult,
  Hold,
  OrderView,
  OwnedOrder,
  Question,
} from "../core/service/types.ts";
import { replicationContract } from "../io/log/envelope-schema.ts";
import type { Contract } from "../io/rpc/types.ts";
import { stepsSchema } from "./steps.ts";
import { tracesSchema } from "./trace.ts";

export type {
  Nomination as NominateResult,
  ReplicaHealth as Health,
} from "../core/selection/types.ts";
export type { CatalogAudit, OrderAudit, RoleStatus } from "../core/service/reports.ts";
export type {
  Answer,
  AskResult,
  CatalogResult,
  FindResult,
  OrderView,
  Question,
} from "../core/service/types.ts";

// Limits on what one call may carry; a bigger call is split by the sender, refused by the receiver.

/** Stocks that one piece of the journal can change: each takes some bytes of it, and a frame has 16 MiB. */
export const NAMES_PER_HOLD_MAX = 1 << 20;
export const ROWS_PER_PAGE_MAX = 1_000;
/** A client's key. */
export const IDEMPOTENCY_KEY_LENGTH_MAX = 128;
/** … with whose it is before it: a name, of a key or of who has a token, and what parts the two. */
export const REQUEST_ID_LENGTH_MAX = IDEMPOTENCY_KEY_LENGTH_MAX + 128;
/** Characters of a name that is answered: stocks listed before names had a limit keep theirs. */
export const WRITTEN_NAME_LENGTH_MAX = 65_536;

/**
 * Gives `schema` as that of T, the core's type. The compiler refuses one that lets through what T
 * hasn't, and one that lacks a variant or a field of T, be it an optional one.
 */
function schemaOf<T>() {
  return <S extends z.ZodType<T>>(
    schema: [Plain<T>, Plain<z.output<S>>] extends [Plain<z.output<S>>, Plain<T>] ? S : never,
  ): z.ZodType<T> => schema;
}

/** Every field is there, and none can be changed: to compare what fields there are. */
type Plain<T> = T extends Uint8Array
  ? T
  : T extends object
    ? { readonly [K in keyof T]-?: Plain<T[K]> }
    : T;

const replicaId = z.int().min(1).max(65_535);
const position = z.int().min(0);
const epoch = z.int().min(0);
const counter = z.int().min(0);
/** A name that is asked for. */
const name = z.string().max(NAME_LETTERS_MAX);
/** A name as the journal has it; or as somebody asks for it who is told what is wrong with it. */
const writtenName = z.string().max(WRITTEN_NAME_LENGTH_MAX);
const requestId = z.string().min(1).max(REQUEST_ID_LENGTH_MAX);

const stock = schemaOf<Stock>()(
  z.object({ name: writtenName, price: z.number(), quantity: z.int().min(0) }),
);

const orderFields = {
  number: z.int().min(1),
  name: writtenName,
  type: z.enum(["buy", "sell"]),
  quantity: z.int().min(1),
};
const order = schemaOf<OrderView>()(z.object(orderFields));
const ownedOrder = schemaOf<OwnedOrder>()(
  z.object({ ...orderFields, key: z.string().max(REQUEST_ID_LENGTH_MAX).nullable().optional() }),
);

const apiKeyFields = {
  name: z.string().max(KEY_NAME_LENGTH_MAX),
  digest: z.string().max(64),
  may: z.string().max(64),
  stocks: z.string().max(KEY_STOCKS_LENGTH_MAX),
  expiresAtMs: z.number(),
};
const apiKey = schemaOf<ApiKey>()(z.object(apiKeyFields));

const content = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("trade"),
    name,
    type: z.string().max(NAME_LETTERS_MAX),
    quantity: z.number(),
  }),
  z.object({ kind: z.literal("list"), name, price: z.number(), quantity: z.number() }),
  z.object({ kind: z.literal("adjust"), name, by: z.number() }),
  z.object({ kind: z.literal("key"), ...apiKeyFields }),
  z.object({ kind: z.literal("revoke"), name: apiKeyFields.name }),
]);

const stocksQuestion = z.object({
  after: writtenName,
  limit: z.int().min(1).max(STOCKS_PER_PIECE_MAX),
  list: position.nullable().optional(),
  known: position.optional(),
  containing: name.optional(),
});

const question = schemaOf<Question>()(
  z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("request"), requestId, content, recordRefusal: z.boolean() }),
    z.object({ kind: z.literal("order"), number: z.int().min(1) }),
    z.object({
      kind: z.literal("orders"),
      after: z.int().min(0),
      limit: z.int().min(1).max(ROWS_PER_PAGE_MAX),
      owned: z.boolean().optional(),
    }),
    z.object({ kind: z.literal("keys"), known: counter.nullable() }),
    z.object({ kind: z.literal("lookup"), name }),
    z.object({ kind: z.literal("stocks"), ...stocksQuestion.shape }),
  ]),
);

const refusal = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("invalid-quantity"), quantity: z.number() }),
  z.object({ kind: z.literal("unknown-type"), type: z.string() }),
  z.object({ kind: z.literal("unknown-stock"), name: z.string() }),
  z.object({ kind: z.literal("insufficient-volume"), name: z.string() }),
  z.object({ kind: z.literal("stock-exists"), name: z.string() }),
  z.object({ kind: z.literal("invalid-key"), name: z.string() }),
  z.object({ kind: z.literal("key-exists"), name: z.string() }),
  z.object({ kind: z.literal("too-many-keys"), name: z.string() }),
  z.object({ kind: z.literal("unknown-key"), name: z.string() }),
]);

const outcome = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("accepted"), number: z.int().min(1) }),
  z.object({ kind: z.literal("listed") }),
  z.object({ kind: z.literal("adjusted") }),
  z.object({ kind: z.literal("key-made") }),
  z.object({ kind: z.literal("key-revoked") }),
  z.object({ kind: z.literal("refused"), refusal }),
  z.object({ kind: z.literal("reused") }),
]);

const stocksAnswers = [
  z.object({
    kind: z.literal("stocks"),
    stocks: z.array(stock),
    next: writtenName.nullable(),
    total: z.int().min(0),
    position,
  }),
  z.object({ kind: z.literal("unchanged"), position }),
  z.object({ kind: z.literal("gone") }),
] as const;

const answer = schemaOf<Answer>()(
  z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("outcome"), outcome }),
    z.object({ kind: z.literal("order"), order: order.nullable() }),
    z.object({ kind: z.literal("orders"), orders: z.array(ownedOrder), next: z.int().nullable() }),
    z.object({
      kind: z.literal("keys"),
      version: counter,
      keys: z.array(apiKey).max(KEYS_MAX).nullable(),
    }),
    z.object({ kind: z.literal("stock"), stock: stock.nullable(), position }),
    ...stocksAnswers,
    z.object({ kind: z.literal("busy") }),
  ]),
);

const askResult = schemaOf<AskResult>()(
  z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("answers"), answers: z.array(answer) }),
    z.object({ kind: z.literal("not-leader"), leader: replicaId.nullable() }),
    z.object({ kind: z.literal("unknown") }),
  ]),
);

const health = schemaOf<ReplicaHealth>()(
  z.object({
    replica: replicaId,
    leads: z.boolean(),
    leader: replicaId.nullable(),
    epoch,
    lastPosition: position,
    commitPosition: position,
  }),
);

const nomination = schemaOf<Nomination>()(
  z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("leading"), epoch }),
    z.object({ kind: z.literal("follows"), leader: replicaId, epoch }),
    z.object({ kind: z.literal("lost"), reason: z.string() }),
  ]),
);

const committedEntry = z.object({
  position: z.int().min(1),
  epoch,
  at: z.number(),
  command: z.custom<Uint8Array>((value) => value instanceof Uint8Array).nullable(),
});

const feed = schemaOf<Feed>()(
  z.object({
    leader: replicaId,
    epoch,
    exposed: position,
    after: position,
    entries: z.array(committedEntry),
  }),
);

const grant = schemaOf<Grant>()(
  z.object({ epoch, ask: counter, ms: z.number().min(0), exposed: position, sent: position }),
);

const follow = schemaOf<Follow>()(
  z.object({
    received: position,
    held: position,
    epoch,
    ask: counter.nullable(),
    heardBefore: epoch,
  }),
);
const following = schemaOf<Following>()(
  z.object({ leads: z.boolean(), epoch, grant: grant.nullable() }),
);
const held = schemaOf<Held>()(z.object({ epoch, received: position, held: position }));

const hold = schemaOf<Hold>()(
  z.object({
    after: position,
    through: position,
    names: z.array(writtenName).max(NAMES_PER_HOLD_MAX),
  }),
);

const roleStatus = schemaOf<RoleStatus>()(
  z.object({
    role: z.string(),
    pid: z.int(),
    up: z.literal(true),
    leads: z.boolean().optional(),
    leader: replicaId.nullable().optional(),
    vote: z.boolean().optional(),
    epoch: epoch.optional(),
    last: position.optional(),
    commit: position.optional(),
    exposed: position.optional(),
    applied: position.optional(),
    leased: z.boolean().optional(),
    leasedTo: z.array(z.string()).optional(),
  }),
);

const orderAudit = schemaOf<OrderAudit>()(
  z.object({
    position,
    entries: z.int(),
    orders: z.int(),
    requests: z.int(),
    journalDigest: z.string(),
    ordersDigest: z.string(),
    requestsDigest: z.string(),
    stocksDigests: z.array(z.string()),
    problems: z.array(z.string()),
  }),
);
const catalogAudit = schemaOf<CatalogAudit>()(
  z.object({ position, stocks: z.int(), stocksDigest: z.string() }),
);
const catalogResult = schemaOf<CatalogResult>()(z.object({ status: z.int(), message: z.string() }));

const findResult = schemaOf<FindResult>()(
  z.union([z.object({ status: z.literal(200), data: stock }), catalogResult]),
);

/** A catalog without a lease can't answer: ask the leader. */
const unleased = z.object({ kind: z.literal("unleased") });

/** From a front end: it stops, once it has answered what it holds. */
const leaving = { callers: ["frontend"], argument: z.object({}) } as const;

/** What passed at the connections of this process since an earlier question; recorded while somebody asks. */
const steps = {
  callers: ["frontend"],
  argument: z.object({ after: counter }),
  result: stepsSchema,
} as const;

/** Served by every order replica. */
export const orderContract = {
  /** Replication traffic between replicas. */
  ...replicationContract,
  ask: {
    callers: ["frontend", "catalog", "order", "cli"],
    argument: z.object({
      relayed: z.boolean(),
      questions: z.array(question).min(1).max(QUESTIONS_PER_CALL_MAX),
      traces: tracesSchema,
    }),
    result: askResult,
  },
  health: { callers: ["frontend", "order", "cli"], argument: z.object({}), result: health },
  nominate: { callers: ["frontend"], argument: z.object({}), result: nomination },
  notifyLeader: {
    callers: ["frontend"],
    argument: z.object({ leader: replicaId }),
    result: z.object({}),
  },
  /**
   * A catalog says to every replica, every LEASE_ASK_MS, what it has received and holds;
   * whoever leads sends it the rest. With an `ask`, and `epoch` the leader's, it asks for a lease.
   */
  follow: {
    callers: ["catalog"],
    argument: follow,
    result: following,
  },
  /** A catalog has received everything up to `received`, and its front ends hold up to `held`. */
  held: { callers: ["catalog"], argument: held },
  leaving,
  status: { callers: ["frontend", "cli"], argument: z.object({}), result: roleStatus },
  steps,
  audit: {
    callers: ["frontend", "cli"],
    argument: z.object({ position, stocksAt: z.array(position).max(16) }),
    result: orderAudit,
  },
} as const satisfies Contract;

/** Served by every catalog. */
export const catalogContract = {
  /** Names and stocks pair up; null for an unknown one. `position`: what all of them are true at. */
  lookup: {
    callers: ["frontend"],
    argument: z.object({
      names: z.array(name).min(1).max(NAMES_PER_LOOKUP_MAX),
      traces: tracesSchema,
    }),
    result: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("stocks"), stocks: z.array(stock.nullable()), position }),
      unleased,
    ]),
  },
  /** Further pieces of a list need no lease. */
  stocks: {
    callers: ["frontend"],
    argument: stocksQuestion.extend({ traces: tracesSchema }),
    result: z.discriminatedUnion("kind", [...stocksAnswers, unleased]),
  },
  /** A front end asks for a lease, saying what it holds of this catalog; null: nothing known. */
  lease: {
    callers: ["frontend"],
    argument: z.object({ ask: counter, held: position.nullable() }),
    result: z.object({ grant: grant.nullable() }),
  },
  /** A front end has dropped what it was told to, up to here. */
  holding: { callers: ["frontend"], argument: z.object({ through: position }) },
  leaving,
  /** One stock, from the leader where the catalog can't say itself. */
  find: {
    callers: ["cli"],
    argument: z.object({ name: writtenName }),
    result: findResult,
  },
  /** `by` is anything, as in the reference program; `requestId` makes a retry count once. */
  update: {
    callers: ["cli"],
    argument: z.object({
      name: writtenName,
      by: z.unknown(),
      requestId: requestId.optional(),
    }),
    result: catalogResult,
  },
  /** From the leader: the committed entries that follow `after`, to be held, and up to where all are exposed. */
  entries: {
    callers: ["order"],
    argument: feed,
  },
  status: { callers: ["frontend", "cli"], argument: z.object({}), result: roleStatus },
  steps,
  audit: { callers: ["frontend", "cli"], argument: z.object({ position }), result: catalogAudit },
} as const satisfies Contract;

/** Served by every front end, on the connections it opens. */
export const frontendContract = {
  /** From a replica, every 50 ms and at each change. */
  beat: { callers: ["order"], argument: health },
  /** From a catalog: these stocks changed in (after, through]; drop them, and take no copy older than `through`. */
  hold: { callers: ["catalog"], argument: hold },
} as const satisfies Contract;
