// `bazaar status`: who runs, who leads, and how far each has come.

import type { Command } from "commander";
import { type ClusterConfig, urlOf } from "../../roles/config.ts";
import { catalogContract, orderContract, type RoleStatus } from "../../roles/contract.ts";
import type { Peers } from "../../roles/peers.ts";
import { certificateWarnings, commandPeers, trustAuthorities } from "../closed.ts";
import { clusterCommand, configOf } from "../command.ts";
import { otherPidFiles, runningPid } from "../pid-file.ts";
import { type ConfiguredProcess, processesOf } from "../processes.ts";
import { isAllUp, statusReport, statusText, type Told } from "../status-report.ts";
import { UserError } from "../user-error.ts";

/** A process that hasn't answered by then is down, milliseconds. */
const ANSWER_LIMIT_MS = 1_500;
/** Exit status when something that is configured is down or nobody leads: what systemctl and init scripts use. */
const NOT_ALL_UP = 3;

export function statusCommand(): Command {
  return clusterCommand("status", "who runs, who leads, how far each has come")
    .option("--json", "as JSON")
    .action(async (options: { readonly json?: true }, command: Command) => {
      const config = configOf(command);
      const processes = processesOf(config);
      trustAuthorities(config);
      const peers = commandPeers(config);
      const refusals: string[] = [];
      try {
        const told = await Promise.all(
          processes.map((process) =>
            process.kind === "frontend"
              ? askFrontend(process, config)
              : askInternal(process, peers, (why) => refusals.push(why)),
          ),
        );
        const known = processes.map(({ name }) => name);
        const others = otherPidFiles(config.data, known).map((role) => ({
          role,
          pid: runningPid(config.data, role),
        }));
        const report = statusReport(processes, told, others);
        const warnings = certificateWarnings(config, Date.now());
        process.stdout.write(
          options.json
            ? `${JSON.stringify({ ...report, ...(warnings.length > 0 && { warnings }) })}\n`
            : `${statusText(report, processes)}${warnings.map((line) => `${line}\n`).join("")}`,
        );
        process.exitCode = isAllUp(report) ? 0 : NOT_ALL_UP;
        const [refusal] = refusals;
        if (refusal !== undefined) throw new UserError(refusal);
      } finally {
        peers.close();
      }
    });
}

/** `refused` is told why, when something there isn't ours rather than down. */
async function askInternal(
  process: ConfiguredProcess,
  peers: Peers,
  refused: (why: string) => void,
): Promise<Told | null> {
  const reached = await peers.reach(process, ANSWER_LIMIT_MS);
  if (reached.kind === "unreachable") {
    if (reached.isFinal) refused(reached.why);
    return null;
  }
  const options = { timeoutMs: ANSWER_LIMIT_MS };
  const calls: { status(argument: object): Promise<RoleStatus> } =
    process.kind === "order"
      ? reached.peer.calls(orderContract, options)
      : reached.peer.calls(catalogContract, options);
  try {
    return await calls.status({});
  } catch {
    return null;
  }
}

/** A front end has no internal port: that it answers says that it is up, its file who it is. */
async function askFrontend(
  process: ConfiguredProcess,
  config: ClusterConfig,
): Promise<Told | null> {
  try {
    const response = await fetch(`${urlOf(config, process)}/healthz`, {
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    await response.body?.cancel();
    return response.status === 200 ? { pid: runningPid(config.data, process.name) } : null;
  } catch {
    return null;
  }
}
