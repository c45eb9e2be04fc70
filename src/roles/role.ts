// What every role's start function takes and gives back, so that the command
// line runs them all the same way.

import type { Logger } from "pino";
import type { Credentials } from "../io/rpc/types.ts";
import type { Certificates } from "../io/tls/certificates.ts";
import type { ClusterConfig } from "./config.ts";

export interface RoleOptions {
  readonly config: ClusterConfig;
  /** ROLE: `frontend`, `frontend-8001`, `catalog`, `catalog-9097`, `order-9094`. */
  readonly name: string;
  readonly credentials: Credentials;
  /** What a front end serves HTTPS with; null for HTTP. */
  readonly https?: Certificates | null;
  readonly log: Logger;
}

export interface RunningRole {
  /** Settles when the role can't go on (a failing disk, a broken invariant), with the reason. Never rejects. */
  readonly failed: Promise<Error>;
  /**
   * It was told to stop, and goes on serving for those who need it until they have gone or found
   * others. Settles when it may be closed, in bounded time; sooner once there is `haste`. Never rejects.
   */
  drain?(haste: AbortSignal): Promise<void>;
  /** Stops it and frees its ports and files. */
  close(): Promise<void>;
}
