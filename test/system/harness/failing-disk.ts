// Replicas on disks that fail, without a disk that does: each a way to start one
// role so that the system itself refuses what it writes.
//
// full         its folder is a small file system of its own, in memory, mounted
//              where only this process sees it: ENOSPC, as SQLite gets it from
//              any disk. Takes mount namespaces: root, or a system that lets
//              users have them.
// no space     a small library loaded before the C library's refuses writes:
//              ENOSPC as well. Takes a C compiler.
// write fails  a limit on the size of its files: EFBIG, which SQLite reports as
//              an I/O error of a write. Works everywhere.
// fsync fails  the same library: EIO.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Cluster } from "../../../lab/cluster.ts";
import { ROOT, Running } from "../../../lab/process.ts";

const MAIN = resolve(ROOT, "bin/bazaar.js");
const SOURCE = resolve(ROOT, "test/system/harness/failing-disk.c");
/** Larger than a new replica's files, and soon filled by trades. */
const DISK_KIB = 1_536;
/** Blocks of 512 bytes: `ulimit -f` of every shell that `sh` is counts at least that much. */
const FILE_BLOCKS = 1_024;

/** A role that was started on a disk that will fail. */
export interface OnFailingDisk {
  readonly running: Running;
  /** From now on it fails, where it doesn't by itself. */
  readonly fail: () => void;
}

/** Whether this machine lets a process have mounts of its own. */
export function canMount(): boolean {
  return spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;
}

/** Whether there is a C compiler. */
export function canCompile(): boolean {
  return spawnSync("cc", ["--version"]).status === 0;
}

/** A replica whose disk is nearly full. */
export function startOnFullDisk(cluster: Cluster, id: number): OnFailingDisk {
  const folder = join(cluster.data, `order-${id}`);
  // What it wrote outlives the small disk: an older copy in its place would have forgotten what it acknowledged.
  const script = `
    folder=$1; size=$2; shift 2
    cp -a "$folder" "$folder.copy" && rm -r "$folder"/* && mount -t tmpfs -o mode=700,size="$size"k none "$folder" &&
    cp -a "$folder.copy/." "$folder" && rm -r "$folder.copy" || exit 2
    "$@"; status=$?
    cp -a "$folder" "$folder.copy" && umount "$folder" &&
    cp -a "$folder.copy/." "$folder" && rm -r "$folder.copy" && exit $status`;
  const args = ["-rm", "sh", "-c", script, "sh", folder, String(DISK_KIB)];
  return { running: new Running("unshare", [...args, ...order(cluster, id)]), fail: () => {} };
}

/** A replica whose writes fail once a file is beyond a size. */
export function startOnFailingWrites(cluster: Cluster, id: number): OnFailingDisk {
  const script = `ulimit -f ${FILE_BLOCKS} && exec "$@"`;
  const running = new Running("sh", ["-c", script, "sh", ...order(cluster, id)]);
  return { running, fail: () => {} };
}

/** A replica whose fsyncs fail from when that is asked for. */
export function startOnFailingFsync(cluster: Cluster, id: number): OnFailingDisk {
  return startWithLibrary(cluster, id, "fsync");
}

/** A replica that has no space left from when that is asked for. */
export function startOnNoSpace(cluster: Cluster, id: number): OnFailingDisk {
  return startWithLibrary(cluster, id, "write");
}

function startWithLibrary(cluster: Cluster, id: number, call: "fsync" | "write"): OnFailingDisk {
  const library = join(cluster.data, "failing-disk.so");
  const compiled = spawnSync("cc", ["-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], {
    encoding: "utf8",
  });
  if (compiled.status !== 0) throw new Error(`cc: ${compiled.stderr}`);
  const when = join(cluster.data, "disk-fails");
  const [command = "", ...args] = order(cluster, id);
  const running = new Running(command, args, {
    environment: {
      LD_PRELOAD: library,
      FAILING_CALL: call,
      FAILING_WHEN: when,
      FAILING_UNDER: join(cluster.data, `order-${id}`),
    },
  });
  return { running, fail: () => writeFileSync(when, "") };
}

function order(cluster: Cluster, id: number): readonly string[] {
  return [process.execPath, MAIN, "order", String(id), ...cluster.options];
}
