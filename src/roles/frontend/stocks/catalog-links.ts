// A front end's connections to its catalogs. What is asked of which of them is
// decided in core/service/lookups.ts.

import type { Logger } from "pino";
import type { CatalogCalls } from "../../../core/service/catalogs.ts";
import { CATALOG_ANSWER_LIMIT_MS } from "../../../core/service/limits.ts";
import type { CallFailure } from "../../../core/service/questions.ts";
import { connect } from "../../../io/rpc/connect.ts";
import { RpcError } from "../../../io/rpc/error.ts";
import type {
  Calls,
  Credentials,
  Identity,
  Link,
  Peer,
  Unreachable,
} from "../../../io/rpc/types.ts";
import type { ClusterConfig } from "../../config.ts";
import { catalogContract, frontendContract } from "../../contract.ts";
import type { RequestTraces } from "../http/request-traces.ts";
import type { Stocks } from "./stocks.ts";

const holdContract = { hold: frontendContract.hold } as const;
const leavingContract = { leaving: catalogContract.leaving } as const;

export interface CatalogLinksOptions {
  readonly catalogs: ClusterConfig["catalogs"];
  readonly credentials: Credentials;
  readonly identity: Identity;
  readonly log: Logger;
  /** Told of connections, and of what catalogs say over them. */
  readonly lookups: Pick<Stocks<Peer>["lookups"], "opened" | "closed" | "hold">;
  readonly onUnreachable: (catalog: string, why: Unreachable) => void;
  readonly onInvariantViolation: (error: Error) => void;
}

export class CatalogLinks {
  #links: readonly Link[] = [];

  /** Connects, and again whenever a connection closes. */
  connect({ catalogs, lookups, onUnreachable, ...how }: CatalogLinksOptions): void {
    this.#links = catalogs.map(({ host, port, name }) =>
      connect({
        host,
        port,
        name,
        ...how,
        contract: holdContract,
        handlers: {
          hold: ({ after, through, names }, peer) => lookups.hold(peer, after, through, names),
        },
        onOpen: (peer) => lookups.opened(peer),
        onClose: (peer) => lookups.closed(peer),
        onUnreachable: (why) => onUnreachable(name, why),
      }),
    );
  }

  /** The open connection to the catalog at this place of the configuration; null while there is none. */
  peer(index: number): Peer | null {
    return this.#links[index]?.peer ?? null;
  }

  /** Tells every catalog that this front end stops. */
  leaving(): void {
    for (const { peer } of this.#links) peer?.calls(leavingContract).leaving({});
  }

  close(): void {
    for (const link of this.#links) link.close();
  }
}

/** What is said to catalogs, over their connections. */
export class PeerCalls implements CatalogCalls<Peer> {
  readonly #traces: RequestTraces;
  readonly #known = new WeakMap<Peer, Calls<typeof catalogContract>>();

  constructor(traces: RequestTraces) {
    this.#traces = traces;
  }

  lookup: CatalogCalls<Peer>["lookup"] = (catalog, names, settled) => {
    const traces = this.#traces.of(names.map((name) => ({ kind: "lookup", name })));
    this.#calls(catalog)
      .lookup({ names: [...names], ...traces })
      .then(settled, failed(settled));
    catalog.flush(); // the batch is complete: it needn't wait for this turn's end
  };

  stocks: CatalogCalls<Peer>["stocks"] = (catalog, question, settled) => {
    const traces = this.#traces.of([{ kind: "stocks", ...question }]);
    this.#calls(catalog)
      .stocks({ ...question, ...traces })
      .then(settled, failed(settled));
    catalog.flush();
  };

  lease: CatalogCalls<Peer>["lease"] = (catalog, asking, settled) => {
    this.#calls(catalog)
      .lease(asking)
      .then(({ grant }) => settled({ kind: "answered", grant }), failed(settled));
  };

  holding(catalog: Peer, through: number): void {
    this.#calls(catalog).holding({ through });
  }

  probe(catalog: Peer, settled: (answers: boolean) => void): void {
    this.#calls(catalog)
      .status({})
      .then(
        () => settled(true),
        () => settled(false),
      );
  }

  #calls(catalog: Peer): Calls<typeof catalogContract> {
    let calls = this.#known.get(catalog);
    if (!calls) {
      calls = catalog.calls(catalogContract, { timeoutMs: CATALOG_ANSWER_LIMIT_MS });
      this.#known.set(catalog, calls);
    }
    return calls;
  }
}

function failed(
  settled: (failed: { readonly kind: "failed"; readonly failure: CallFailure }) => void,
): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof RpcError)) throw error;
    settled({ kind: "failed", failure: error.failure });
  };
}
