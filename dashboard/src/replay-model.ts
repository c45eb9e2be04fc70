// A recording of what processes said to each other, and what it tells at each
// moment: which messages are on their way, what stands in whose journal, who may
// show what. Pure; made from messages alone, of a real cluster or of a simulated one.

import type { Said } from "../../src/core/service/said.ts";
import type { Step } from "../../src/roles/steps.ts";

export type { Said, Step };

/** One message, from when it was sent to when it arrived. */
export interface Message {
  readonly from: string;
  readonly to: string;
  /** Milliseconds, as in the recording; who saw only its arrival gives the time of that. */
  readonly sentAt: number;
  /** Null while nobody has seen it arrive: it is on its way, lost, or its receiver isn't watched. */
  readonly arrivedAt: number | null;
  readonly call: string | undefined;
  readonly said: Said;
}

/** Something that happened, in words. */
export interface Note {
  readonly at: number;
  readonly text: string;
  readonly tone?: "bad";
}

export interface Recording {
  /** The processes, in the order in which they are shown. */
  readonly roles: readonly string[];
  /** By the time at which they were sent. */
  readonly messages: readonly Message[];
  readonly notes: readonly Note[];
}

/** Clocks of one machine's processes differ by this much at most, milliseconds. */
const CLOCK_SLACK_MS = 2;

/** Puts together what both ends of each message recorded. */
export function messagesOf(steps: readonly Step[]): readonly Message[] {
  const arrivals = new Map<string, Step>();
  for (const step of steps) {
    if (step.kind === "received") arrivals.set(`${step.peer} ${step.role} ${step.id}`, step);
  }
  const messages: Message[] = [];
  for (const step of steps) {
    if (step.kind === "received") continue;
    const { role: from, peer: to, at: sentAt, call, said } = step;
    const key = `${from} ${to} ${step.id}`;
    const arrival = arrivals.get(key);
    // Numbers begin anew with each connection.
    const isIts = arrival?.said.what === said.what && arrival.at >= sentAt - CLOCK_SLACK_MS;
    if (isIts) arrivals.delete(key);
    const arrivedAt = isIts ? Math.max(sentAt, arrival.at) : null;
    messages.push({ from, to, sentAt, arrivedAt, call, said });
  }
  for (const { role: to, peer: from, at, call, said } of arrivals.values()) {
    messages.push({ from, to, sentAt: at, arrivedAt: at, call, said });
  }
  return messages.sort((a, b) => a.sentAt - b.sentAt);
}

/** What repeats all the time and says nothing of a trade. */
const PULSE = new Set([
  "heartbeat",
  "leads",
  "follow",
  "follow-answer",
  "lease",
  "lease-answer",
  "health",
  "health-answer",
  "healthy",
  "beat",
]);

/** Without heartbeats, leases, and what says nothing new: a position that was said before. */
export function withoutPulse(messages: readonly Message[]): readonly Message[] {
  const said = new Map<string, number>();
  return messages.filter(({ from, to, said: { what, first, through, exposed, words } }) => {
    if (PULSE.has(what)) return false;
    const isShow = what === "entries" && first === undefined;
    const position = isShow ? exposed : what === "ack" && !words ? through : undefined;
    if (position === undefined) return true;
    const key = `${what} ${from} ${to}`;
    const isNew = position > (said.get(key) ?? -1);
    said.set(key, Math.max(position, said.get(key) ?? -1));
    return isNew;
  });
}

/** A trade in a recording, from the front end's question to its answer. */
export interface Trade {
  readonly order: number;
  readonly text: string;
  readonly messages: readonly Message[];
}

/** The newest trades that the recording has from beginning to end, newest first. */
export function tradesOf(messages: readonly Message[], max: number): readonly Trade[] {
  const trades: Trade[] = [];
  for (const answer of messages.toReversed()) {
    for (const order of answer.said.what === "ask-answer" ? (answer.said.orders ?? []) : []) {
      const asked = messages.find(({ call, said }) => said.what === "ask" && call === answer.call);
      if (asked === undefined || trades.length >= max) continue;
      const parts = tradeParts(messages, asked, answer);
      const nth = answer.said.orders?.indexOf(order) ?? 0;
      const text = asked.said.words?.[nth] ?? asked.said.words?.[0] ?? "a trade";
      if (parts.length > 2) trades.push({ order, text, messages: parts });
    }
  }
  return trades;
}

/** Of all messages those by which this question got its answer. */
function tradeParts(
  messages: readonly Message[],
  asked: Message,
  answer: Message,
): readonly Message[] {
  const leader = answer.from;
  const since = asked.arrivedAt ?? asked.sentAt;
  const entry = messages.find(
    ({ from, sentAt, said }) => from === leader && said.what === "append" && sentAt >= since,
  );
  const position = entry?.said.through;
  if (position === undefined) return [asked, answer];
  const seen = new Set<string>();
  const once = (key: string) => !seen.has(key) && seen.add(key) !== undefined;
  return messages.filter((message) => {
    const { from, to, sentAt, said } = message;
    if (message === asked || message === answer) return true;
    if (sentAt < since) return false;
    const carries =
      said.first !== undefined && said.first <= position && (said.through ?? 0) >= position;
    const reaches = (said.through ?? -1) >= position;
    switch (said.what) {
      case "append":
      case "entries":
        if (carries) return once(`${said.what} ${to}`);
        return said.what === "entries" && (said.exposed ?? 0) >= position && once(`exposed ${to}`);
      case "ack":
        return reaches && to === leader && once(`ack ${from}`);
      case "hold":
        return reaches && once(`hold ${from} ${to}`);
      case "holding":
        return reaches && once(`holding ${from} ${to}`);
      case "held":
        return reaches && to === leader && once(`held ${from}`);
      default:
        return false;
    }
  });
}

/** What a process has, as far as its messages tell. */
export interface Standing {
  /** Epochs of the entries of its journal, by position; those from before the recording are missing. */
  readonly entries: ReadonlyMap<number, number>;
  /** Entries that came and aren't acknowledged yet: not known to be on its disk. */
  readonly arriving: ReadonlySet<number>;
  readonly last: number | null;
  readonly commit: number | null;
  readonly exposed: number | null;
  /** Of a catalog and a front end: what they have dropped, or wait to show. */
  readonly held: number | null;
  readonly epoch: number | null;
  /** Stocks that it was last told to drop. */
  readonly dropped: readonly string[];
  /** The epoch that it leads, as it says itself. */
  readonly leads: number | null;
}

interface Draft {
  entries: Map<number, number>;
  arriving: Set<number>;
  last: number | null;
  commit: number | null;
  exposed: number | null;
  held: number | null;
  epoch: number | null;
  dropped: readonly string[];
  leads: number | null;
}

/** A message is sent, or arrives. */
export interface Happening {
  readonly at: number;
  readonly message: Message;
  readonly isArrival: boolean;
}

/** All that happens to these messages, in its order. */
export function happeningsOf(messages: readonly Message[]): readonly Happening[] {
  return messages
    .flatMap((message) => [
      { message, at: message.sentAt, isArrival: false },
      ...(message.arrivedAt === null ? [] : [{ message, at: message.arrivedAt, isArrival: true }]),
    ])
    .sort((a, b) => a.at - b.at);
}

/** How the processes stand at `at`, after everything that happened until then. */
export function standingsAt(
  roles: readonly string[],
  happenings: readonly Happening[],
  at: number,
): ReadonlyMap<string, Standing> {
  const standings = new Map<string, Draft>(roles.map((role) => [role, blank()]));
  const of = (role: string) => standings.get(role) ?? blank();
  for (const { message, isArrival, at: when } of happenings) {
    if (when > at) break;
    const { from, to, said } = message;
    if (isArrival) arrived(of(to), said);
    else sent(of(from), said);
  }
  return standings;
}

function blank(): Draft {
  return {
    entries: new Map(),
    arriving: new Set(),
    last: null,
    commit: null,
    exposed: null,
    held: null,
    epoch: null,
    dropped: [],
    leads: null,
  };
}

/** Who sends this has it. */
function sent(who: Draft, said: Said): void {
  const { what, epoch, through, commit, exposed, words } = said;
  who.epoch = greater(who.epoch, epoch);
  switch (what) {
    case "append":
    case "heartbeat":
    case "leads":
      store(who, said, false);
      who.last = through ?? who.last;
      who.commit = greater(who.commit, commit);
      who.leads = greater(who.leads, epoch);
      break;
    case "entries":
      // Only what is committed goes to catalogs.
      who.commit = greater(who.commit, through);
      who.exposed = greater(who.exposed, exposed);
      break;
    case "ack":
      if (through === undefined || words) break;
      for (const position of who.arriving) if (position <= through) who.arriving.delete(position);
      who.last = greater(who.last, through);
      break;
    case "promise":
      who.last = through ?? who.last;
      break;
    case "held":
    case "holding":
      who.held = greater(who.held, through);
      break;
    case "hold":
      who.dropped = words ?? [];
      break;
  }
}

function arrived(who: Draft, said: Said): void {
  const { what, epoch, through, commit, exposed, words } = said;
  who.epoch = greater(who.epoch, epoch);
  switch (what) {
    case "append":
    case "fetched":
      store(who, said, true);
      who.commit = greater(who.commit, commit);
      break;
    case "heartbeat":
      who.commit = greater(who.commit, commit);
      break;
    case "leads":
      who.last = greater(who.last, through);
      who.commit = greater(who.commit, commit);
      break;
    case "entries":
      who.last = greater(who.last, through);
      who.exposed = greater(who.exposed, exposed);
      break;
    case "hold":
      who.dropped = words ?? [];
      break;
  }
}

/** Entries take their places; what stood there of another epoch, and beyond, is gone. */
function store(who: Draft, { first, epochs = [] }: Said, isArriving: boolean): void {
  if (first === undefined) return;
  epochs.forEach((epoch, index) => {
    const position = first + index;
    const before = who.entries.get(position);
    if (before === epoch) return;
    if (before !== undefined) {
      for (const other of who.entries.keys()) if (other > position) who.entries.delete(other);
      for (const other of who.arriving) if (other > position) who.arriving.delete(other);
      who.last = position - 1;
    }
    who.entries.set(position, epoch);
    if (isArriving) who.arriving.add(position);
  });
}

function greater(before: number | null, now: number | undefined): number | null {
  return now === undefined ? before : Math.max(before ?? 0, now);
}

/** The times at which something is sent, arrives or happens, ascending, each once. */
export function momentsOf({
  messages,
  notes,
}: Pick<Recording, "messages" | "notes">): readonly number[] {
  const times = [
    ...messages.flatMap(({ sentAt, arrivedAt }) =>
      arrivedAt === null ? [sentAt] : [sentAt, arrivedAt],
    ),
    ...notes.map(({ at }) => at),
  ];
  return [...new Set(times)].sort((a, b) => a - b);
}

/** A message that nobody saw arrive is drawn for this long, milliseconds. */
const UNSEEN_MS = 5;

/** Messages on their way at `at`, and how far: 0 to 1. */
export function flying(
  messages: readonly Message[],
  at: number,
): readonly { readonly message: Message; readonly part: number; readonly isLost: boolean }[] {
  return messages.flatMap((message) => {
    const { sentAt, arrivedAt } = message;
    const end = arrivedAt ?? sentAt + UNSEEN_MS;
    if (at < sentAt || at > end) return [];
    const part = end === sentAt ? 1 : (at - sentAt) / (end - sentAt);
    // Of one that didn't arrive nobody knows how far it came.
    return [{ message, part: arrivedAt === null ? part / 2 : part, isLost: arrivedAt === null }];
  });
}
