// Every limit and time-out of the connections between processes, in one place.

/** Limits of one listener or link. Units are in the names. */
export interface RpcLimits {
  /**
   * Largest frame sent or accepted. A batch beyond it leaves in several frames;
   * one call beyond it is refused. Large enough for any bounded batch of
   * entries, small enough that a frame is decoded within a heartbeat or two.
   */
  readonly frameBytesMax: number;
  /**
   * Messages in one frame, sent or accepted: more leave in several frames. Four
   * times the calls that may be in flight; each costs the other side a turn's work.
   */
  readonly frameMessagesMax: number;
  /**
   * Calls awaiting their answer, and calls being carried out for the other
   * side, per connection. Clients' requests are coalesced, so thousands of
   * calls in flight already mean that the other side doesn't keep up.
   */
  readonly callsInFlightMax: number;
  /** How long a call waits for its answer unless it says otherwise: the deadline that a client's request has. */
  readonly callTimeoutMs: number;
  /**
   * Bytes that wait to be taken by the network. A peer that leaves more unread
   * is closed: it would otherwise be paid for with this process's memory.
   */
  readonly queuedBytesMax: number;
  /**
   * How long an attempt waits for the other host to take the connection, which its
   * system does even for a paused process. Short: after a cut, the next attempt is
   * what gets through, while one from before is repeated only after a second.
   */
  readonly connectTimeoutMs: number;
  /** From the start of a connection to the end of its handshake; a stopped process accepts but doesn't answer. */
  readonly handshakeTimeoutMs: number;
  /** Connections whose other side has proven who it is, per listener: 41 processes at most, and room for command lines. */
  readonly connectionsMax: number;
  /**
   * Connections whose other side hasn't yet, per listener, apart from the others: who
   * never does takes no place from who will. Beyond it the oldest of the address
   * that has most is closed. A member proves it with its second packet; twice
   * the 511 that the system may hand over in one turn, so that its packets are read.
   */
  readonly strangersMax: number;
  /** How long the other side has to agree to a close before the socket is torn down. */
  readonly closeTimeoutMs: number;
  /** A connection that lasted this long was a success: the next back-off starts from its first step again. */
  readonly settledMs: number;
  /** At most one log line of a kind about one peer in this time; what was left out is counted. */
  readonly complaintIntervalMs: number;
}

export const RPC_LIMITS: RpcLimits = {
  frameBytesMax: 16 * 1024 * 1024,
  frameMessagesMax: 65_536,
  callsInFlightMax: 16_384,
  callTimeoutMs: 10_000,
  queuedBytesMax: 64 * 1024 * 1024,
  connectTimeoutMs: 500,
  handshakeTimeoutMs: 2_000,
  connectionsMax: 256,
  strangersMax: 1_024,
  closeTimeoutMs: 250,
  settledMs: 1_000,
  complaintIntervalMs: 60_000,
};

/** The wait between two attempts to connect. */
export interface Backoff {
  /** Bound of the first wait; it doubles with each failed attempt. */
  readonly firstMs: number;
  /** Bound of every later wait. */
  readonly maxMs: number;
  /** After a connection that had worked, this much longer. */
  readonly lostMs: number;
}

/**
 * A listener that comes back on this machine is found within half a second. The
 * peer that was lost may have been the leader: an election has these moments
 * for itself, on a machine where everyone lost the same.
 */
export const RPC_BACKOFF: Backoff = { firstMs: 10, maxMs: 500, lostMs: 50 };

/** The limits with some of them replaced. */
export function withLimits(limits: Partial<RpcLimits> | undefined): RpcLimits {
  return { ...RPC_LIMITS, ...limits };
}

/** What both ends of a WebSocket are opened with. */
export function socketOptions(limits: RpcLimits) {
  return {
    maxPayload: limits.frameBytesMax,
    closeTimeout: limits.closeTimeoutMs,
    // Both ends are on one machine, or near: compressing costs more than it saves.
    perMessageDeflate: false,
  };
}
