// A control group around one relay. It counts the processor time of every process in it, even of a process that lived
// for a millisecond and was never reaped; a sum over /proc cannot do that. It knows all of its processes, so that it
// can end them all.

import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { errorCode } from "../src/base/error-code.ts";

export interface ControlGroup extends AsyncDisposable {
  /** Starts a command inside; its output goes to `logFile`, its stderr also to the child's `stderr`. */
  start(argv: readonly string[], logFile: string): ChildProcess;
  /** User and system time of all processes that ever ran inside, in seconds. */
  cpuSeconds(): number;
  /** The memory of all processes inside, shared pages counted once (PSS), in bytes. */
  memory(): number;
}

const V1 = "/sys/fs/cgroup/cpuacct";
const V2 = "/sys/fs/cgroup/cgroup.controllers";

/** Makes a group. Throws with the reason without root or a writable control group file system. */
export function createGroup(name: string): ControlGroup {
  const isV1 = fs.existsSync(V1);
  if (!isV1 && !fs.existsSync(V2)) throw new Error("the benchmark needs control groups");
  const directory = path.join(isV1 ? V1 : "/sys/fs/cgroup", `unseen-bench-${process.pid}-${name}`);
  try {
    fs.mkdirSync(directory);
  } catch (error) {
    throw new Error("the benchmark needs root, and control groups that can be written", {
      cause: error,
    });
  }
  const pids = () =>
    fs.readFileSync(path.join(directory, "cgroup.procs"), "utf8").split("\n").filter(Boolean);

  return {
    start(argv, logFile) {
      const log = fs.openSync(logFile, "a");
      const script = `echo $$ > "$0/cgroup.procs" && exec "$@"`;
      const child = spawn("sh", ["-c", script, directory, ...argv], {
        stdio: ["ignore", log, "pipe"],
      });
      fs.closeSync(log);
      return child;
    },
    cpuSeconds() {
      if (isV1) return Number(fs.readFileSync(path.join(directory, "cpuacct.usage"), "utf8")) / 1e9;
      const stat = fs.readFileSync(path.join(directory, "cpu.stat"), "utf8");
      return Number(/^usage_usec (\d+)/m.exec(stat)?.[1]) / 1e6;
    },
    memory() {
      return pids().reduce((sum, pid) => sum + proportionalSetSize(pid), 0);
    },
    async [Symbol.asyncDispose]() {
      for (let left = pids(); left.length > 0; left = pids()) {
        left.forEach(killHard);
        await sleep(20);
      }
      fs.rmdirSync(directory);
    },
  };
}

function proportionalSetSize(pid: string): number {
  try {
    const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  } catch {
    return 0; // It ended between the two looks.
  }
}

function killHard(pid: string): void {
  try {
    process.kill(Number(pid), "SIGKILL");
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}
