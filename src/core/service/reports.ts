// What a process says of itself: to `bazaar status`, and to `bazaar verify`,
// which compares all copies of the state.

/** One line of `bazaar status`. A replica and a catalog tell different things. */
export interface RoleStatus {
  readonly role: string;
  readonly pid: number;
  readonly up: true;
  readonly leads?: boolean | undefined;
  readonly leader?: number | null | undefined;
  /** Of a replica: whether it votes; a replacement doesn't before it is admitted. */
  readonly vote?: boolean | undefined;
  readonly epoch?: number | undefined;
  readonly last?: number | undefined;
  readonly commit?: number | undefined;
  readonly exposed?: number | undefined;
  readonly applied?: number | undefined;
  /** Of a catalog: whether it may answer now, and the front ends that it lets answer from copies. */
  readonly leased?: boolean | undefined;
  readonly leasedTo?: readonly string[] | undefined;
}

/** A replica's state at `position`. Digests are hex SHA-256 over a canonical form. */
export interface OrderAudit {
  readonly position: number;
  /** How many of each there are at `position`. */
  readonly entries: number;
  readonly orders: number;
  readonly requests: number;
  /** Running digest of the journal. */
  readonly journalDigest: string;
  /** Over all orders, by number. */
  readonly ordersDigest: string;
  /** Over all request ids and their outcomes, in the order of the journal. */
  readonly requestsDigest: string;
  /** Of all stocks at each position asked for, in the order asked. */
  readonly stocksDigests: readonly string[];
  /** What is wrong inside this replica, in words: M1 to M3, or tables that differ from the journal. */
  readonly problems: readonly string[];
}

/** A catalog's stocks at `position`. */
export interface CatalogAudit {
  readonly position: number;
  readonly stocks: number;
  readonly stocksDigest: string;
}
