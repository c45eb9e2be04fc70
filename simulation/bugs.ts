// Deliberate bugs in the rules of docs/protocol.md, to show that the simulation
// finds them. Each is a small change of the core, or of what the simulation has in
// the place of a role, made while the file is loaded; the code itself has no
// switch for it. A change that doesn't apply exactly once is an error.
//
// Longer than 400 lines because it is one list.

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

interface Edit {
  /** Relative to the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Bug {
  readonly name: string;
  /** It is found by one of these: the rule of a checker, or how an invariant of the core begins. */
  readonly breaks: readonly string[];
  /** The simulation must find it within `seeds` runs from `first` on; null: it hasn't since the code changed. */
  readonly found: { readonly first: number; readonly seeds: number } | null;
  readonly edits: readonly Edit[];
}

const REPLICATION = "src/core/replication";
const COHERENCE = "src/core/coherence";
const MARKET = "src/core/market";
const SERVICE = "src/core/service";
const TABLES = "src/core/table-log";
const JOURNAL = "src/core/journal";

function bug(
  name: string,
  breaks: readonly string[],
  found: readonly [first: number, seeds: number] | null,
  ...edits: readonly (readonly [string, string, string])[]
): Bug {
  return {
    name,
    breaks,
    found: found && { first: found[0], seeds: found[1] },
    edits: edits.map(([file, find, replace]) => ({ file, find, replace })),
  };
}

export const BUGS: readonly Bug[] = [
  bug(
    "ack-before-fsync",
    ["R2"],
    [2, 4],
    [`${REPLICATION}/context.ts`, "if (newest)", "if (newest && message.kind !== 'ack')"],
  ),
  bug(
    "old-epoch-committed-by-counting",
    ["R4"],
    [402, 4],
    [
      `${REPLICATION}/leadership.ts`,
      "if (position < this.#reignPosition || position <= context.commit) return; // J2",
      "if (position <= context.commit) return;\n    if (position < this.#reignPosition) return context.learnCommit(position);",
    ],
  ),
  bug(
    "two-promises-in-one-epoch",
    ["R3"],
    [13, 4],
    [
      `${REPLICATION}/replica.ts`,
      "if (epoch < promise.epoch || (epoch === promise.epoch && promise.nominee !== from)) {",
      "if (epoch < promise.epoch) {",
    ],
  ),
  bug(
    "promise-lost-on-restart",
    ["R1"],
    [10, 4],
    [
      `${REPLICATION}/context.ts`,
      "this.hardState = options.hardState;",
      "this.hardState = { ...options.hardState, promise: { epoch: 0, nominee: options.id } };",
    ],
  ),
  bug(
    "append-does-not-raise-promise",
    ["R2"],
    [16, 4],
    [`${REPLICATION}/replica.ts`, "if (epoch > promise.epoch) context.promise(epoch, from);", ""],
  ),
  bug(
    "ack-of-own-last-position",
    ["L1"],
    [39, 4],
    [
      `${REPLICATION}/replica.ts`,
      'context.sendDurably(from, { kind: "ack", epoch, round, position, goBackTo: null });',
      'context.sendDurably(from, { kind: "ack", epoch, round, position: context.log.last.position, goBackTo: null });',
    ],
  ),
  bug(
    "commit-past-the-message",
    ["R4"],
    [27, 4],
    [
      `${REPLICATION}/replica.ts`,
      "context.learnCommit(Math.min(append.commit, position));",
      "context.learnCommit(Math.min(append.commit, context.log.last.position));",
    ],
  ),
  bug(
    "tail-dropped-by-a-late-short-append",
    ["R1"],
    [44, 4],
    [
      `${REPLICATION}/context.ts`,
      "if (firstNew === -1) return null;",
      "if (firstNew === -1) {\n      const reached = prevPosition + entries.length;\n      if (entries.length > 0 && reached < this.log.last.position && reached >= this.commit) {\n        this.log.truncateFrom(reached + 1);\n        for (const write of this.#pendingWrites) write.position = Math.min(write.position, reached);\n        this.#persist({ truncateFrom: reached + 1 });\n      }\n      return null;\n    }",
    ],
  ),
  bug(
    "fetch-not-fenced",
    ["epochs never go back within a journal"],
    [16, 4],
    [
      `${REPLICATION}/replica.ts`,
      "if (promise.epoch !== fetch.epoch || promise.nominee !== from) {",
      "if (promise.epoch < 0) {",
    ],
  ),
  bug(
    "fetched-entries-restamped",
    ["R3"],
    [13, 4],
    [
      `${REPLICATION}/candidacy.ts`,
      "context.store(answer.prevPosition, answer.entries);",
      "context.store(answer.prevPosition, answer.entries.map((entry) => ({ ...entry, epoch: this.#epoch })));",
    ],
  ),
  bug(
    "replacement-votes-early",
    ["R2", "a committed entry is never dropped"],
    null,
    [`${REPLICATION}/replica.ts`, "if (!voter) return;\n    if (epoch", "if (epoch"],
    [`${REPLICATION}/replica.ts`, "willing: voter && !hears", "willing: !hears"],
    [
      `${REPLICATION}/candidacy.ts`,
      "incarnation === admissions.of(peer).incarnation, // B5",
      "incarnation >= admissions.of(peer).incarnation,",
    ],
  ),
  bug(
    "replacement-counts-before-its-admission-is-committed",
    ["R2"],
    [42, 4],
    [
      `${REPLICATION}/admissions.ts`,
      "return admission.incarnation === incarnation && admission.position <= commit;",
      "return commit >= 0 && admission.incarnation === incarnation;",
    ],
  ),
  // A leader that was replaced, and slept, makes a voter of whoever asks it.
  bug(
    "replacement-votes-once-a-stale-leader-lists-it",
    ["R2"],
    null,
    [
      `${REPLICATION}/context.ts`,
      "if (isAdmitted && own.position <= this.commit) this.becomeVoter();",
      "if (isAdmitted) this.becomeVoter();",
    ],
    [
      `${REPLICATION}/context.ts`,
      "this.#persist({ ...write, entries });",
      "this.#persist({ ...write, entries });\n    this.#voteIfAdmitted();",
    ],
  ),
  bug(
    "ack-counted-for-a-later-round",
    ["C1", "R6", "R7"],
    [55, 4],
    [
      `${REPLICATION}/leadership.ts`,
      "follower.acknowledge(ack);",
      "follower.acknowledge({ ...ack, round: this.#round });",
    ],
  ),
  bug(
    "deciding-before-the-reign-is-committed",
    ["M3", "R4"],
    [10, 4],
    [
      `${REPLICATION}/leadership.ts`,
      "this.#reignPosition = context.log.last.position;",
      'this.#reignPosition = context.log.last.position;\n    this.opened = true;\n    context.emit({ kind: "leading", epoch });',
    ],
  ),
  bug(
    "promise-before-canvass",
    ["L1"],
    [16, 4],
    [
      `${REPLICATION}/candidacy.ts`,
      "this.#stage.willing.size + 1 < context.quorum",
      "context.quorum < 0",
    ],
  ),
  bug(
    "deaf-leader-keeps-its-heartbeats-going",
    ["L1"],
    [294, 4],
    [
      `${REPLICATION}/leadership.ts`,
      "if (this.#unconfirmedHeartbeats.length >= UNCONFIRMED_HEARTBEATS_MAX) return false;",
      "if (UNCONFIRMED_HEARTBEATS_MAX < 0) return false;",
    ],
  ),
  bug(
    "catch-up-rests-for-ever",
    ["L1"],
    [46, 4],
    [
      `${REPLICATION}/follower-progress.ts`,
      "this.#restsUntil = isBusy ? now + restMs : Number.NEGATIVE_INFINITY;",
      "if (isBusy) this.#restsUntil = Math.abs(Number.NEGATIVE_INFINITY);",
    ],
  ),
  bug(
    "regained-lease-keeps-its-copies",
    ["C1"],
    [37, 4],
    [
      `${COHERENCE}/lease-holder.ts`,
      "this.#lease = offer;\n    return true; // V3",
      "this.#lease = offer;\n    return false;",
    ],
  ),
  bug("fill-from-an-earlier-session", ["C1"], null, [
    `${COHERENCE}/copies.ts`,
    "newSession(): void {\n    this.#fetches.clear();",
    "newSession(): void {",
  ]),
  bug(
    "lookup-joins-a-fetch-from-before-a-hold",
    ["C1"],
    [106, 4],
    [
      `${COHERENCE}/copies.ts`,
      "this.#fetches.delete(name); // F2\n      const floor",
      "const floor",
    ],
  ),
  bug(
    "copy-below-the-floor-served",
    ["C1"],
    [16, 4],
    [
      `${COHERENCE}/copies.ts`,
      "return position >= this.floorOf(name);",
      "return position >= 0 * this.floorOf(name);",
    ],
  ),
  bug(
    "lease-counted-from-the-grant",
    ["C1"],
    [58, 4],
    [
      `${COHERENCE}/lease-holder.ts`,
      "const untilMs = asked.atMs + grant.ms;",
      "const untilMs = nowMs + grant.ms;",
    ],
  ),
  bug(
    "grant-before-the-view-is-level",
    ["C1"],
    [130, 4],
    [
      `${COHERENCE}/lease-holder.ts`,
      "const level = view.applied >= offer.exposed && view.held >= offer.sent;",
      "const level = view.applied >= 0;",
    ],
  ),
  bug(
    "new-leader-forgets-older-leases",
    ["C1"],
    [15, 4],
    [
      `${COHERENCE}/leader-views.ts`,
      "this.#grantor.presume(catalog, options.wonMs + LEASE_MS + LEASE_MARGIN_MS); // W3",
      "this.#grantor.presume(catalog, options.wonMs + 0 * (LEASE_MS + LEASE_MARGIN_MS));",
    ],
  ),
  bug(
    "catalog-grants-beyond-its-own-lease",
    ["C1"],
    [1, 4],
    [
      `${COHERENCE}/catalog-view.ts`,
      "const atMostMs = this.#lease.remainingMs(nowMs);",
      "const atMostMs = 500;",
    ],
  ),
  bug(
    "leader-grants-beyond-its-confirmed-round",
    ["C1"],
    [25, 4],
    [
      `${COHERENCE}/leader-views.ts`,
      "confirmedMs + LEASE_MS - nowMs, sent, nowMs",
      "confirmedMs > 0 ? LEASE_MS : LEASE_MS, sent, nowMs",
    ],
  ),
  bug(
    "exposed-before-all-hold",
    ["C1"],
    [1, 4],
    [
      `${COHERENCE}/leader-views.ts`,
      "Math.min(this.#commit, this.#grantor.heldByAll(nowMs)); // W1",
      "this.#grantor.heldByAll(nowMs) >= 0 ? this.#commit : 0;",
    ],
  ),
  bug(
    "catalog-answers-held-before-its-front-ends",
    ["C1"],
    [5, 4],
    [
      `${COHERENCE}/catalog-view.ts`,
      "Math.min(this.#received, this.#frontends.heldByAll(nowMs)); // K3",
      "this.#frontends.heldByAll(nowMs) >= 0 ? this.#received : 0;",
    ],
  ),
  // Without the floor that a fetch had, too, by which a front end knows better.
  bug(
    "held-stock-answered-at-once",
    ["C1"],
    [12, 4],
    [`${SERVICE}/lookups.ts`, " || answer.position < floor) {", ") {"],
    [
      `${SERVICE}/catalogs.ts`,
      "this.#options.observer.closed(catalog);\n    this.#options.lost(catalog);",
      "this.#options.observer.closed(catalog);",
    ],
    [
      `${COHERENCE}/catalog-view.ts`,
      "if (until <= this.#applied) return",
      "if (until >= 0) return",
    ],
  ),
  bug(
    "hold-never-sent-again",
    ["L1"],
    [11, 4],
    [
      `${COHERENCE}/leader-views.ts`,
      "following.unanswered.length > 0 && nowMs - following.progressMs >= HOLD_AGAIN_MS",
      "following.unanswered.length < 0 && nowMs - following.progressMs >= HOLD_AGAIN_MS",
    ],
  ),
  bug(
    "catalog-forgets-its-front-ends-in-a-new-epoch",
    ["C1"],
    [4, 4],
    [
      `${COHERENCE}/catalog-view.ts`,
      "this.#epoch = epoch;\n      this.#toldHeld = 0;",
      "this.#epoch = epoch;\n      this.#toldHeld = 0;\n      this.#frontends.forgetEnded(Number.POSITIVE_INFINITY, () => false);",
    ],
  ),
  bug(
    "retry-without-the-request-id",
    ["M1"],
    [1, 4],
    [
      `${SERVICE}/pending-question.ts`,
      "? { ...question, recordRefusal: true } // P2",
      "? { ...question, requestId: question.requestId + this.#attempts, recordRefusal: true }",
    ],
  ),
  bug(
    "adjust-without-request-id",
    ["M1"],
    [35, 4],
    [
      `${SERVICE}/pending-question.ts`,
      'if (question.kind !== "request") return question;',
      'if (question.kind !== "request") return question;\n    if (again && question.content.kind === "adjust")\n      return { ...question, requestId: question.requestId + this.#attempts };',
    ],
  ),
  // Its refusal is never told then (P3), so the call has no answer.
  bug(
    "refusal-of-a-retried-call-neither-recorded-nor-told",
    ["L1"],
    [14, 4],
    [
      `${SERVICE}/pending-question.ts`,
      "? { ...question, recordRefusal: true } // P2",
      "? question",
    ],
  ),
  // Both rules that keep it from happening: the refusal would not be told otherwise.
  bug(
    "refusal-of-a-retried-call-not-recorded",
    ["M1"],
    null,
    [
      `${SERVICE}/pending-question.ts`,
      "? { ...question, recordRefusal: true } // P2",
      "? question",
    ],
    [
      `${SERVICE}/pending-question.ts`,
      "if (isRefused && !isRecorded && this.#askedInDoubt) return; // P3",
      "",
    ],
  ),
  bug(
    "unrecorded-refusal-told-after-a-retry",
    ["M1"],
    [32, 4],
    [
      `${SERVICE}/pending-question.ts`,
      "if (isRefused && !isRecorded && this.#askedInDoubt) return; // P3",
      "",
    ],
  ),
  bug(
    "refusal-under-a-key-not-recorded",
    ["M1", "M3"],
    [20, 4],
    [
      "src/core/market/decide.ts",
      "command: request.recordRefusal\n",
      'command: request.recordRefusal && refusal.kind !== "insufficient-volume"\n',
    ],
  ),
  bug(
    "front-end-refuses-what-a-market-may-accept",
    ["M1"],
    [1, 4],
    [
      "src/core/market/content.ts",
      "isStockName(name) ? null :",
      '(isStockName(name) && name !== "Nowhere") ? null :',
    ],
  ),
  bug(
    "answer-from-unexposed-state",
    ["M1"],
    [6, 4],
    [
      `${SERVICE}/waiting-answers.ts`,
      "if (turn.exposed || !confirmed) this.#settleUnproven(turn);",
      "this.#settleUnproven(turn);",
    ],
  ),
  bug(
    "answer-without-a-confirmed-round",
    ["C1"],
    [20, 4],
    [
      `${SERVICE}/waiting-answers.ts`,
      "confirmed: unproven.length === 0 ? true : null,",
      "confirmed: true,",
    ],
  ),
  bug(
    "refused-though-just-enough-is-there",
    ["M1"],
    [3, 4],
    ["src/core/market/decide.ts", "quantity > stock.quantity)", "quantity >= stock.quantity)"],
  ),
  bug(
    "refusal-from-unexposed-state",
    ["M1"],
    [32, 4],
    [
      `${SERVICE}/waiting-answers.ts`,
      "if (turn.exposed || !confirmed) this.#settleUnproven(turn);",
      'const isRefused = turn.unproven.every(({ ask }) =>\n          ask.answers.every((each) => each.kind === "outcome" && each.outcome.kind === "refused"),\n        );\n        if (turn.exposed || !confirmed || isRefused) this.#settleUnproven(turn);',
    ],
  ),
  // What is copied is taken from the copies, the rest from a catalog, a little later.
  bug(
    "list-put-together-from-copies",
    ["C1"],
    [5, 4],
    [
      `${SERVICE}/lookups.ts`,
      "const floor = this.#view.floors.newestFloor;\n    this.#askCatalog",
      'const floor = 0;\n    const own = new Map<string, Stock>();\n    for (const name of ["FishCo", "BoarCo", "MenhirCo", "ElmCo", "OakCo", "AshCo", "YewCo", "FirCo"]) {\n      const copy = this.copied(name);\n      if (copy) own.set(name, copy.body as unknown as Stock);\n    }\n    this.#askCatalog',
    ],
    [
      `${SERVICE}/lookups.ts`,
      "settled(answer);\n        return;",
      "settled({ ...answer, stocks: answer.stocks.map((stock) => own.get(stock.name) ?? stock) });\n        return;",
    ],
  ),
  bug(
    "list-shared-with-who-came-later",
    ["C1"],
    [36, 4],
    [
      `${COHERENCE}/shared-lists.ts`,
      "if (this.#underWay === 0) this.#begin();\n    for (const done of waiting) done(list);",
      "for (const done of [...waiting, ...this.#next.splice(0)]) done(list);",
    ],
  ),
  bug(
    "list-gone-on-with-as-it-is-now",
    ["C1"],
    [36, 4],
    [
      `${MARKET}/stock-lists.ts`,
      "const kept = this.#kept.get(list); // S1",
      "const kept = this.#kept.has(list) ? this.#book.sorted() : undefined;",
    ],
  ),
  bug(
    "list-that-is-gone-gone-on-with",
    ["C1"],
    [359, 4],
    [
      `${MARKET}/stock-lists.ts`,
      'if (kept === undefined) return { kind: "gone" }; // S2',
      "if (kept === undefined) return piece(this.#book.sorted(), question, list);",
    ],
  ),
  bug(
    "list-unchanged-though-a-stock-moved",
    ["C1"],
    [1, 4],
    [`${MARKET}/stock-lists.ts`, "this.#kept.get(known) === stocks", "this.#kept.has(known)"],
  ),
  bug(
    "appends-not-compared-with-what-they-follow",
    ["R3"],
    [10, 4],
    [
      `${REPLICATION}/replica.ts`,
      "if (epoch === prevEpoch) return null;",
      "if (epoch >= 0) return null;",
    ],
  ),
  bug(
    "append-of-a-lower-epoch-accepted",
    ["one leader an epoch"],
    [13, 4],
    [`${REPLICATION}/replica.ts`, "if (epoch < promise.epoch) {", "if (epoch < 0) {"],
  ),
  bug(
    "best-journal-judged-by-length",
    ["a committed entry is never dropped", "committed journals are the same"],
    [96, 4],
    [
      `${REPLICATION}/entry-log.ts`,
      "return a.epoch > b.epoch || (a.epoch === b.epoch && a.position >= b.position);",
      "return a.position >= b.position;",
    ],
  ),
  bug(
    "nominee-leads-without-fetching",
    ["R1"],
    [10, 4],
    [
      `${REPLICATION}/candidacy.ts`,
      "if (holder !== null) {",
      "if (holder !== null && quorum < 0) {",
    ],
  ),
  bug(
    "prepare-before-fsync",
    ["R2"],
    [2, 4],
    [
      `${REPLICATION}/candidacy.ts`,
      'context.sendDurably(peer, { kind: "prepare", epoch: this.#epoch });',
      'context.send(peer, { kind: "prepare", epoch: this.#epoch });',
    ],
  ),
  bug(
    "promise-before-fsync",
    ["R2"],
    [2, 4],
    [
      `${REPLICATION}/replica.ts`,
      'context.sendDurably(from, {\n      kind: "promise",',
      'context.send(from, {\n      kind: "promise",',
    ],
  ),
  // A replica sees nothing committed, besides, that isn't on its own disk.
  bug(
    "leader-counts-itself-before-its-fsync",
    ["R2"],
    [6, 4],
    [
      `${REPLICATION}/leadership.ts`,
      "this.#quorumHas(context.log.durable,",
      "this.#quorumHas(context.log.last.position,",
    ],
    [
      `${REPLICATION}/context.ts`,
      "Math.min(this.#commitKnown, this.log.durable)",
      "this.#commitKnown",
    ],
    [`${REPLICATION}/replica.ts`, "context.commit <= context.log.durable &&", ""],
  ),
  bug(
    "replacement-credited-with-the-lost-disk",
    ["L1"],
    [29, 4],
    [`${REPLICATION}/follower-progress.ts`, "this.match = 0;", ""],
  ),
  bug(
    "acks-of-a-lost-disk-count",
    ["L1"],
    null,
    [
      `${REPLICATION}/replica.ts`,
      "if (envelope.incarnation < context.admissions.of(from).incarnation) return;",
      "",
    ],
    [
      `${REPLICATION}/follower-progress.ts`,
      "if (incarnation < this.incarnation) return false;",
      "if (incarnation < this.incarnation) return true;",
    ],
  ),
  bug(
    "willing-though-a-leader-is-heard",
    ["L1"],
    [12, 4],
    [`${REPLICATION}/replica.ts`, "willing: voter && !hears &&", "willing: voter &&"],
  ),
  bug(
    "no-margin-for-clocks",
    ["C1"],
    [687, 4],
    [`${COHERENCE}/lease-grantor.ts`, "nowMs + ms + LEASE_MARGIN_MS", "nowMs + ms"],
  ),
  bug(
    "deaf-view-renewed-for-ever",
    ["L1"],
    [49, 4],
    [
      `${COHERENCE}/lease-grantor.ts`,
      "oldest ? oldest.sinceMs + LEASE_MS - nowMs : LEASE_MS; // G2",
      "oldest ? LEASE_MS : LEASE_MS;",
    ],
  ),
  // What a full window keeps from a catalog waits for it all the same.
  bug(
    "lease-renewed-though-what-waits-was-not-sent",
    ["L1"],
    null,
    [
      `${COHERENCE}/leader-views.ts`,
      "for (const catalog of this.#grantor.leased(nowMs)) this.#grantor.owes(catalog, position, nowMs);",
      "",
    ],
    [`${COHERENCE}/leader-views.ts`, "this.#grantor.owes(catalog, this.#commit, nowMs);", ""],
    [
      `${COHERENCE}/leader-views.ts`,
      "following.sent = through;",
      "following.sent = through;\n    this.#grantor.owes(catalog, through, nowMs);",
    ],
  ),
  bug(
    "deaf-front-end-leased-anew",
    ["L1"],
    [159, 4],
    [
      `${COHERENCE}/catalog-view.ts`,
      "if (owes && !this.#frontends.isLeased(frontend, nowMs)) return null; // K6",
      "if (owes && nowMs < 0) return null;",
    ],
  ),
  bug(
    "deaf-catalog-leased-anew",
    ["L1"],
    [49, 4],
    [
      `${COHERENCE}/leader-views.ts`,
      "if (!isLeased && following.received < this.#grantor.owesThrough(catalog)) return null; // W4",
      "if (!isLeased && nowMs < 0) return null;",
    ],
  ),
  bug(
    "late-view-leased-on",
    ["L1"],
    [67, 4],
    [`${COHERENCE}/lease-grantor.ts`, "if (nowMs < holder.restsUntilMs) return null; // G3", ""],
  ),
  bug(
    "full-pipeline-never-gone-on-with",
    ["L1"],
    [15, 4],
    [`${SERVICE}/leader-desk.ts`, "if (this.#mayDecide) this.#decideLater();", ""],
  ),
  bug(
    "lease-before-the-reign-is-exposed",
    ["C1"],
    [18, 4],
    [
      `${COHERENCE}/leader-views.ts`,
      "if (!following || this.#exposed < this.#reignPosition) return null; // W2",
      "if (!following) return null;",
    ],
  ),
  bug("lease-for-less-than-is-counted-as-held", ["C1"], null, [
    `${COHERENCE}/leader-views.ts`,
    "if (sent < Math.max(this.#exposed, this.#grantor.heldBy(catalog))) return null; // W4",
    "if (sent < this.#exposed) return null;",
  ]),
  bug(
    "fetch-shared-without-a-lease",
    ["C1"],
    [38, 4],
    [
      `${COHERENCE}/frontend-view.ts`,
      "return this.#lease.isValid(nowMs) ? this.#rules.joinable(name) : undefined; // U2",
      "return nowMs >= 0 ? this.#rules.joinable(name) : undefined;",
    ],
    [
      `${COHERENCE}/frontend-view.ts`,
      "if (this.#lease.isValid(nowMs)) this.#rules.began(name, fetch); // U2",
      "if (nowMs >= 0) this.#rules.began(name, fetch);",
    ],
  ),
  bug(
    "holds-counted-over-a-gap",
    ["C1"],
    [122, 4],
    [`${COHERENCE}/frontend-view.ts`, "|| after <= held) {", "|| after >= 0) {"],
  ),
  // Checked before the copy is read it would do as well: see docs/guarantees.md.
  bug(
    "copy-served-without-a-lease",
    ["C1"],
    [1, 4],
    [`${SERVICE}/lookups.ts`, "if (!this.#view.mayServe(this.#nowMs())) return false; // V1", ""],
  ),
  bug(
    "catalog-answers-without-its-lease",
    ["C1"],
    [1, 4],
    [
      `${COHERENCE}/catalog-view.ts`,
      'if (!this.#lease.isValid(nowMs)) return { kind: "elsewhere" }; // K1',
      "",
    ],
  ),
  bug(
    "catalog-never-sends-a-hold-again",
    ["L1"],
    [205, 4],
    [
      `${COHERENCE}/catalog-view.ts`,
      "if (owes === null || nowMs - sentMs < HOLD_AGAIN_MS) continue;",
      "if (owes === null || nowMs - sentMs >= 0) continue;",
    ],
  ),
  bug(
    "front-ends-known-by-name",
    ["C1"],
    [18, 4],
    [
      "src/core/connection/names.ts",
      // Then no link is in it, but this word.
      "SEPARATOR}$",
      "SEPARATOR}",
    ],
  ),
  bug(
    "second-catalog-of-a-name-heard",
    ["C1", "L1"],
    [18, 4],
    [`${COHERENCE}/hearing.ts`, "heard.link !== link", 'heard.link === ""'],
  ),
  bug(
    "name-passed-on-when-the-lease-has-ended",
    ["C1"],
    [116, 4],
    [
      `${COHERENCE}/hearing.ts`,
      "nowMs < heard.askedMs + HEARD_MS + LEASE_MS",
      "nowMs < heard.askedMs + LEASE_MS",
    ],
  ),
  bug(
    "what-an-unheard-catalog-holds-counts",
    ["C1"],
    [51, 4],
    [
      `${SERVICE}/leader-desk.ts`,
      "if (epoch !== this.#options.epoch || !this.#hearing.isHeard(name, peer.link)) return; // D3",
      "if (epoch !== this.#options.epoch) return;",
    ],
  ),
  bug(
    "whoever-asks-a-new-leader-first-is-heard",
    ["C1"],
    [51, 4],
    [`${COHERENCE}/hearing.ts`, "heardBefore !== this.#epochBefore", "heardBefore < 0"],
  ),
  bug(
    "heard-long-ago-said-to-be-lately",
    ["C1"],
    [51, 4],
    [`${COHERENCE}/catalog-view.ts`, "nowMs - this.#heard.askedMs < HEARD_MS ?", "nowMs >= 0 ?"],
  ),
  bug(
    "front-end-that-is-gone-owes-nothing",
    ["L1"],
    [23, 4],
    [
      `${COHERENCE}/catalog-view.ts`,
      "this.#frontends.owes(frontend, through, nowMs); // K3\n        if (!this.#connected.has(frontend)) continue;",
      "if (!this.#connected.has(frontend)) continue;\n        this.#frontends.owes(frontend, through, nowMs);",
    ],
  ),
  bug(
    "lost-held-not-said-again",
    ["L1"],
    [29, 4],
    [
      `${SERVICE}/catalog-desk.ts`,
      "const held = this.#view.heldThrough(askedMs);",
      "const held = 0;",
    ],
  ),
  bug(
    "relayed-questions-relayed-again",
    ["H1"],
    [172, 4],
    [`${SERVICE}/replica-desk.ts`, "other === null || relayed ? null", "other === null ? null"],
  ),
  bug("lost-on-the-way-taken-for-not-begun", ["M1"], null, [
    `${SERVICE}/replica-desk.ts`,
    'if (result.failure !== NOT_SENT) return { kind: "unknown" };',
    'if (result.failure === "timeout") return { kind: "unknown" };',
  ]),
  bug(
    "silent-connection-never-given-up",
    ["L1"],
    [133, 4],
    [
      "src/core/connection/silence.ts",
      "return this.#quietTicks >= SILENT_TICKS_MAX; // S1",
      "return this.#quietTicks < SILENT_TICKS_MAX - SILENT_TICKS_MAX;",
    ],
  ),
  bug(
    "request-id-not-looked-up",
    ["M3", "L1"],
    [4, 4],
    [
      "src/core/market/decide.ts",
      "const recorded = market.request(request.requestId);",
      "const recorded = market.request('');",
    ],
  ),
  bug(
    "request-id-not-looked-up-in-the-tables",
    ["M3"],
    [2, 4],
    [
      "src/core/market/state.ts",
      "return command === undefined ? this.#older.request(requestId) : recordedRequest(command);",
      "return command === undefined ? undefined : recordedRequest(command);",
    ],
  ),
  bug(
    "next-nominee-never-tried",
    ["L1"],
    [108, 4],
    ["src/core/selection/search.ts", "else this.#nominate(rest);", "else this.#rest();"],
  ),
  bug(
    "silent-leader-never-given-up",
    ["L1"],
    [44, 4],
    [
      "src/core/selection/selection.ts",
      "this.#phase.leader.silenceMs(this.#now) >= LEADER_SILENCE_MS",
      "this.#phase.leader.silenceMs(this.#now) < 0",
    ],
  ),
  bug(
    "stored-copies-without-their-session",
    ["C1"],
    [1, 4],
    [`${COHERENCE}/stored-copies.ts`, "this.#sessions += 1;", "this.#sessions = 1;"],
  ),
  bug(
    "entries-acknowledged-unjudged",
    ["M3"],
    [5, 4],
    [
      `${REPLICATION}/context.ts`,
      "const misfit = this.#judgeFresh(from, fresh);",
      "const misfit = fresh.length < 0 ? this.#judgeFresh(from, fresh) : null;",
    ],
  ),
  bug(
    "reign-begun-on-a-state-that-nobody-compares",
    ["C1"],
    [153, 4],
    ["src/core/market/judge.ts", "return own === state ? null :", "return own !== null ? null :"],
  ),
  bug("used-request-id-acknowledged", ["M3"], null, [
    "src/core/market/judge.ts",
    "if (this.#market.request(requestId) !== undefined) {",
    "if (this.#market.request(requestId)?.outcome === null) {",
  ]),
  bug(
    "refused-leader-goes-on",
    ["R5"],
    [28, 4],
    [
      `${REPLICATION}/replica.ts`,
      "if (!phase.refused(from, message)) this.#follow(null);",
      "phase.refused(from, message);",
    ],
  ),
  bug(
    "refused-leader-leads-again-unchecked",
    ["R5"],
    [28, 4],
    [`${REPLICATION}/replica.ts`, "this.#isDoubted = true;", ""],
  ),
  bug(
    "one-refusal-ends-a-reign",
    ["L1"],
    [28, 4],
    [
      `${REPLICATION}/leadership.ts`,
      "return this.#followers.size + 1 - this.#doubters >= this.#context.quorum; // J4",
      "return this.#refusals.size === 0;",
    ],
  ),
  bug(
    "started-with-other-members",
    ["R2"],
    [86, 4],
    [
      `${REPLICATION}/context.ts`,
      "if (refusal !== null) throw new OtherCluster(refusal); // X4",
      "",
    ],
  ),
  bug(
    "members-of-a-peer-not-compared",
    ["S1"],
    [125, 4],
    [
      `${REPLICATION}/members.ts`,
      "const other = otherMembers(what, theirs.members, ours.members);",
      "const other = null;",
    ],
  ),
  bug(
    "what-queued-meanwhile-counts-as-acknowledged",
    ["R2"],
    [1, 4],
    [
      `${TABLES}/table-replica.ts`,
      "this.#deliver(entries, true);",
      "this.#deliver([...entries, ...phase.queued.splice(0)], true);",
    ],
  ),
  bug(
    "a-statement-on-its-way-confirms-what-is-asked-meanwhile",
    ["R6"],
    [327, 4],
    [
      `${TABLES}/table-replica.ts`,
      "for (const token of running.tokens)",
      "for (const token of [...running.tokens, ...phase.asked.splice(0)])",
    ],
  ),
  bug(
    "a-warning-before-success-is-ignored",
    ["R2"],
    [4, 4],
    [`${TABLES}/table-replica.ts`, " && !answer.isWarned) {", ") {"],
  ),
  bug(
    "rows-of-an-append-not-counted",
    ["R2", "R6", "R7"],
    [34, 4],
    [
      `${TABLES}/table-replica.ts`,
      "answer.rows === rows",
      "(answer.rows === rows || phase.kind === 'leading')",
    ],
  ),
  bug(
    "an-answer-that-is-lost-is-taken-for-done",
    ["R2"],
    [21, 4],
    [
      `${TABLES}/table-replica.ts`,
      'if (this.#phase.kind === "leading") this.#depose(reason, running?.tokens);',
      'if (this.#phase.kind === "leading") {\n      if (running?.statement.kind === "append") this.#deliver(running.statement.entries, true);\n      this.#depose(reason, running?.tokens);\n    }',
    ],
  ),
  bug(
    "a-reign-goes-on-over-a-new-connection",
    ["R2", "R4", "L1"],
    [1, 4],
    [
      `${TABLES}/table-replica.ts`,
      'if (this.#phase.kind === "leading") this.#depose(reason, running?.tokens);',
      'if (this.#phase.kind === "leading") {\n      if (running?.statement.kind === "append") this.#phase.queued.unshift(...running.statement.entries);\n      this.#phase.roundWanted = true;\n    }',
    ],
  ),
  bug(
    "followers-deliver-all-that-stands-in-the-table",
    ["R2"],
    [21, 4],
    [
      `${TABLES}/table-replica.ts`,
      "entry.position > head.committed); // T4",
      "entry.position > head.last);",
    ],
  ),
  bug(
    "leads-before-its-reign-is-acknowledged",
    ["R4", "only a leader appends"],
    [1, 4],
    [
      `${TABLES}/table-replica.ts`,
      'this.#run({ kind: "claim", seen, leader: id, committed, reign });',
      'this.#emit({ kind: "leading", epoch: reign.entry.epoch });\n    this.#run({ kind: "claim", seen, leader: id, committed, reign });',
    ],
  ),
  bug(
    "what-was-read-is-kept-over-a-new-connection",
    ["R2", "R4", "all before a reign was read"],
    [358, 4],
    [`${TABLES}/table-replica.ts`, "else if (wasOpen) this.#lose(reason);", ""],
  ),
  bug(
    "leads-without-what-it-read-before-its-reign",
    ["R4"],
    [3, 4],
    [
      `${TABLES}/table-replica.ts`,
      "this.#deliver([...phase.tail, reign], false);",
      "this.#deliver([reign], false);",
    ],
  ),
  bug(
    "confirmed-from-when-the-answer-came",
    ["R7"],
    [178, 4],
    [
      `${TABLES}/table-replica.ts`,
      "phase.confirmedAt = running.beganAt; // T6",
      "phase.confirmedAt = this.#now;",
    ],
  ),
  bug(
    "won-when-the-claim-was-sent",
    ["R7"],
    [3, 4],
    [`${TABLES}/table-replica.ts`, "wonAt: this.#now, // T6", "wonAt: phase.sinceMs,"],
  ),
  bug("an-old-primary-taken-for-another-history", ["R4"], null, [
    `${TABLES}/table-replica.ts`,
    "if (!isOld && digest !== null && after <= head.committed) {",
    "if (!isOld && digest !== null) {",
  ]),
  bug(
    "an-old-primary-followed-for-ever",
    ["L1"],
    [189, 4],
    [
      `${TABLES}/table-replica.ts`,
      "this.#expected = this.#hearsLeader() ? this.#heard : null;",
      "",
    ],
  ),
  bug("a-history-followed-from-another-one", ["R4"], null, [
    `${TABLES}/table-replica.ts`,
    "if (isOld || digest === null || !isSame(digest, read.digest)) {",
    "if (isOld || digest === null) {",
  ]),
  // What a crash leaves of a journal's files, and what damage of them is.
  bug(
    "torn-batch-half-accepted",
    ["S1", "S2"],
    [22, 4],
    [
      `${JOURNAL}/segment.ts`,
      "if (hashes.crc32(bytes.subarray(body, end - CHECKSUM_BYTES), header.checksum) !== checksum) {",
      "if (bodyBytes < 0) {",
    ],
  ),
  bug(
    "torn-tail-taken-for-damage",
    ["S2"],
    [3, 4],
    [
      `${JOURNAL}/journal.ts`,
      'if (found.kind === "nothing" || isTorn) break;',
      'if (found.kind === "nothing" || isTorn) {\n        const [length] = this.options.files.read(segment.name, offset, 1);\n        if (length) throw damage(segment.name, null, "torn");\n        break;\n      }',
    ],
  ),
  bug(
    "damage-taken-for-a-torn-tail",
    ["S2"],
    [33, 4],
    [
      `${JOURNAL}/segment.ts`,
      "if (header !== null && header.settled >= sequence && header.settled < header.sequence) {",
      "if (header !== null && header.settled >= sequence && header.settled < 0) {",
    ],
  ),
  bug(
    "flipped-bit-taken-for-a-torn-write",
    ["S2"],
    [16, 4],
    [`${JOURNAL}/segment.ts`, "if (effect === change) return bit - 1;", ""],
  ),
  bug("bytes-of-an-earlier-use-accepted", ["S1", "S2"], null, [
    `${JOURNAL}/segment.ts`,
    "return viewOf(header).getUint32(HEADER_BYTES - CHECKSUM_BYTES, true);",
    "return 0;",
  ]),
  bug(
    "promise-not-replayed",
    ["S1", "S2"],
    [9, 4],
    [
      `${JOURNAL}/journal.ts`,
      'if (frame.kind === "hard-state") return { ...end, hardState: frame.hardState };',
      'if (frame.kind === "hard-state") return end;',
    ],
  ),
  bug(
    "found-at-a-start-and-not-synced",
    ["S1", "S2", "S5"],
    [10, 4],
    [`${JOURNAL}/journal.ts`, "for (const { name } of scanned) options.files.sync(name);", ""],
  ),
  bug(
    "failed-sync-believed-after-a-start",
    ["S1", "S2", "S5"],
    [10, 4],
    [
      `${JOURNAL}/journal.ts`,
      "files.write(tail.name, tail.offset, files.read(tail.name, tail.offset, tail.end - tail.offset));",
      "",
    ],
  ),
  bug("end-found-at-a-start-and-not-synced", ["S1", "S2"], null, [
    `${JOURNAL}/journal.ts`,
    "for (const { name } of scanned) options.files.sync(name);",
    "options.files.sync((scanned.at(-1) as Segment).name);",
  ]),
  bug(
    "tables-made-from-what-is-not-on-disk",
    ["S1", "S2"],
    [3, 4],
    [`${JOURNAL}/journal.ts`, "this.#writer.sync();", ""],
  ),
  bug(
    "segment-used-before-its-name-is-on-disk",
    ["S1", "S2"],
    [3, 4],
    [`${JOURNAL}/journal.ts`, "files.syncFolder();", ""],
  ),
  bug(
    "segment-named-before-its-header-is-on-disk",
    ["S1", "S2"],
    [36, 4],
    [`${JOURNAL}/journal.ts`, "files.sync(made);", ""],
  ),
  bug(
    "segment-written-to-before-the-one-before-it-has-ended",
    ["S1", "S2"],
    [3, 4],
    [
      `${JOURNAL}/journal.ts`,
      'this.#append(new BatchWriter([{ kind: "end" }]));\n      this.sync();',
      "",
    ],
  ),
  bug("dropped-entries-found-again", ["S1", "S2"], null, [
    `${JOURNAL}/reader.ts`,
    "this.places = this.places.filter(({ position }) => position <= base.position);",
    "",
  ]),
  bug(
    "write-not-synced",
    ["S1"],
    [10, 4],
    [`${JOURNAL}/journal.ts`, "if (syncsEachWrite) this.sync();", ""],
  ),
  bug(
    "segment-without-a-base-after-a-torn-beginning",
    ["S1", "S2"],
    [93, 4],
    [
      `${JOURNAL}/journal.ts`,
      "if (offset === HEADER_BYTES) return this.begin(segment.number, base, entries);",
      "",
    ],
  ),
];

/** The bug of this name; throws with all names if there is none. */
export function bugNamed(name: string): Bug {
  const found = BUGS.find((candidate) => candidate.name === name);
  if (!found) {
    throw new Error(`no bug named ${name}; there are: ${BUGS.map((each) => each.name).join(", ")}`);
  }
  return found;
}

/** Changes the files as they are loaded from now on. */
export function plant({ name, edits }: Bug): void {
  const sources = new Map<string, string>();
  for (const { file, find, replace } of edits) {
    const url = new URL(`../${file}`, import.meta.url);
    const source = sources.get(url.href) ?? readFileSync(fileURLToPath(url), "utf8");
    const parts = source.split(find);
    if (parts.length !== 2) {
      throw new Error(`${name} applies ${parts.length - 1} times to ${file}, not once: ${find}`);
    }
    sources.set(url.href, parts.join(replace));
  }
  registerHooks({
    load(url, context, next) {
      const source = sources.get(url);
      if (source === undefined) return next(url, context);
      return { format: "module-typescript", source, shortCircuit: true };
    },
  });
}
