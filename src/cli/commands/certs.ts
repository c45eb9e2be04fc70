// `bazaar certs`: the certificates that processes prove to each other with who they
// are, and front ends to clients, issued by an authority of the cluster's own.

import { existsSync } from "node:fs";
import type { Command } from "commander";
import {
  CertificateError,
  certificatePaths,
  certsFolder,
  ENDS_SOON_MS,
  readCertificate,
} from "../../io/tls/certificates.ts";
import type { ClusterConfig } from "../../roles/config.ts";
import { certificateNames, createCertificates } from "../closed.ts";
import { columns } from "../columns.ts";
import { clusterCommand, configOf } from "../command.ts";
import { UserError } from "../user-error.ts";

const ACTIONS = ["create", "renew", "rotate", "retire", "list"] as const;
type Action = (typeof ACTIONS)[number];

/** Every host has these: who is trusted, and what commands prove. */
const EVERYWHERE = "authorities.crt, cli.crt and cli.key";

export function certsCommand(): Command {
  return clusterCommand("certs", "the certificates of processes and front ends")
    .argument(
      "<create|renew|rotate|retire|list>",
      "create: an authority and a certificate for each process; renew: new certificates; rotate: a new authority beside the one before; retire: trust the newest alone; list: until when each lasts",
      (text: string): Action => {
        const action = ACTIONS.find((known) => known === text);
        if (action === undefined)
          throw new UserError(`certs does ${ACTIONS.join(", ")}, not ${text}`);
        return action;
      },
    )
    .argument("[ROLES...]", "renew: those of these processes (default: all that are configured)")
    .action(async (action: Action, roles: string[], _options: unknown, command: Command) => {
      const config = configOf(command);
      process.stdout.write(`${await done(config, action, roles)}\n`);
    });
}

async function done(
  config: ClusterConfig,
  action: Action,
  roles: readonly string[],
): Promise<string> {
  const { data } = config;
  const folder = certsFolder(data);
  if (action === "list") return list(config);
  // Loaded only where certificates are made: it takes a while.
  const authority = await import("../../io/tls/authority.ts");
  const nowMs = Date.now();
  switch (action) {
    case "create":
      return createCertificates(config, nowMs);
    case "renew": {
      const all = certificateNames(config);
      const added = roles.map(
        (name) => all.find((each) => each.name === name) ?? { name, hosts: [] },
      );
      await authority.issueCertificates(data, roles.length > 0 ? added : all, nowMs);
      return `renewed in ${folder}: copy to each host NAME.crt and NAME.key of its roles, ${EVERYWHERE}; they are read anew within seconds`;
    }
    case "rotate":
      if (!authority.hasAuthority(data)) throw noAuthority(folder);
      await authority.makeAuthority(data, nowMs);
      return `made a new authority, trusted beside the one before: copy ${folder}/authorities.crt to every host, then "npx bazaar certs renew", copy those, then "npx bazaar certs retire"`;
    case "retire":
      if (!authority.hasAuthority(data)) throw noAuthority(folder);
      authority.retireAuthorities(data);
      return `only the newest authority is trusted: copy ${folder}/authorities.crt to every host`;
  }
}

function noAuthority(folder: string): CertificateError {
  return new CertificateError(
    `${folder} has no authority.key: run this on the host where the cluster was made, or "npx bazaar certs create" first`,
  );
}

function list(config: ClusterConfig): string {
  const nowMs = Date.now();
  const rows = certificateNames(config).map(({ name }) => {
    const files = certificatePaths(config.data, name);
    if (!existsSync(files.cert)) return [name, "-", "not on this host"];
    try {
      const { endsMs } = readCertificate(files, nowMs);
      const note = endsMs - nowMs < ENDS_SOON_MS ? 'ends soon: "npx bazaar certs renew"' : "";
      return [name, new Date(endsMs).toISOString().slice(0, 10), note];
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      return [name, "-", error.message];
    }
  });
  return columns([["name", "until", ""], ...rows]).trimEnd();
}
