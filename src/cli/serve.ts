// relayctl serve: runs the relay in the foreground, with its log on stdout. It is the only command that keeps running,
// and the only place that handles signals.
//
// Invariant: the spool is crash-safe and a half-broken process is not, so an uncaught error ends the process at once.
// Accepted mail is on disk by then.

import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import { warningsOf } from "../config/warnings.ts";
import { findUser } from "../base/users.ts";
import { errorCode } from "../base/error-code.ts";
import { createLog, describeError, type Log } from "../observe/log.ts";
import { type Relay, startRelay } from "../run/relay.ts";
import { SpoolError, SpoolInUse } from "../spool/spool.ts";
import { requireConfiguration } from "./configuration-file.ts";
import { keepHeapLean } from "./heap.ts";
import { endBySignal, isPoolBusy, Threads } from "./end-process.ts";
import { CommandError, EXIT } from "../contract/exit.ts";
import { LogOutput } from "./log-output.ts";
import { partWarnings } from "./part-warnings.ts";

/** Milliseconds that sessions and attempts under way have to finish. */
const GRACE = 30_000;
/** Further milliseconds in which everything is closed, unless a disk hangs. */
const CLOSING_TIME = 3000;
/** Milliseconds that a reader of the log has for the last lines. */
const LOG_PATIENCE = 2000;
/** Milliseconds that calls under way have at the end, and after a second signal. */
const CALLS_PATIENCE = 2000;
const SHORT_PATIENCE = 500;

const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

/** Resolves when a signal has stopped the relay. Throws CommandError when it cannot be started. */
export async function serve(configFile: string | undefined): Promise<number> {
  keepHeapLean();
  const reloadAtHangup = heedHangup();
  const configuration = await requireConfiguration(configFile);
  requireUser(configuration);
  const threads = new Threads();
  const output = new LogOutput(1);
  const log = createLog(systemClock, output);
  process.on("uncaughtException", (error) => {
    log.event("relay.error", { where: "process", error: describeError(error) });
    output.flushNow();
    if (isPoolBusy()) endBySignal("SIGKILL");
    process.exit(EXIT.software);
  });
  warnOfRoot(configuration, log);
  try {
    const relay = await start(configuration, log);
    reloadAtHangup(relay);
    const stopped = untilSignal(output, threads);
    process.stderr.write("ready\n");
    void warnOfDoubts(configuration, log);
    log.event("relay.stopping", { reason: await stopped });
    await stop(relay, log);
  } finally {
    await output.flush(LOG_PATIENCE);
  }
  if (!(await threads.end(CALLS_PATIENCE))) endBySignal("SIGTERM");
  return EXIT.ok;
}

/** Files may hang: neither the start nor the end waits for this. */
async function warnOfDoubts(configuration: Configuration, log: Log): Promise<void> {
  const warnings = [...(await warningsOf(configuration)), ...(await partWarnings(configuration))];
  for (const what of warnings) log.event("relay.warning", { what });
}

async function stop(relay: Pick<Relay, "stop">, log: Log): Promise<void> {
  const stopped = relay.stop(GRACE).then(() => true);
  const late = sleep(GRACE + CLOSING_TIME, false, { ref: false });
  if (await Promise.race([stopped, late])) return;
  log.event("relay.warning", {
    what: "the relay ends although not everything is closed: a disk does not answer",
  });
}

async function start(configuration: Configuration, log: Log): Promise<Relay> {
  const program = (part: string) => ({
    module: process.argv[1] ?? "",
    args: ["serve", part, "--config", configuration.file],
  });
  try {
    return await startRelay(configuration, { clock: systemClock, log, program });
  } catch (error) {
    if (error instanceof SpoolInUse) throw new CommandError(error.message, EXIT.temporary);
    throw new CommandError(whyNotStarted(error), EXIT.unavailable);
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use",
  EADDRNOTAVAIL: "this machine does not have the address",
  EACCES: "permission denied",
  ENOENT: "the file system does not allow for it",
  ENOTDIR: "a file is in the way",
  EROFS: "the file system is read-only",
};

export function whyNotStarted(error: unknown): string {
  if (error instanceof SpoolError && error.cause instanceof Error) {
    return `${error.message}: ${error.cause.message}`;
  }
  if (!(error instanceof Error) || !("code" in error)) return describeError(error);
  const cause = CAUSES[errorCode(error) ?? ""];
  if ("syscall" in error && error.syscall === "mkdir" && "path" in error) {
    return `cannot create the directory ${String(error.path)}: ${cause ?? errorCode(error)}`;
  }
  if (cause === undefined) return describeError(error);
  if ("address" in error && "port" in error) {
    return `cannot listen on ${String(error.address)} port ${String(error.port)}: ${cause}`;
  }
  return "path" in error ? `${cause}: ${String(error.path)}` : describeError(error);
}

/** The user need not exist on another machine, where the file is only checked. */
function requireUser({ file, relay: { user } }: Configuration): void {
  if (process.getuid?.() !== 0 || user === undefined || findUser(user) !== undefined) return;
  const message = `${file}: relay.user: there is no user "${user}" in /etc/passwd`;
  throw new CommandError(message, EXIT.configuration);
}

function warnOfRoot({ relay }: Configuration, log: Log): void {
  if (process.getuid?.() !== 0 || relay.user !== undefined) return;
  log.event("relay.warning", {
    what: "the relay runs as root and stays root: name a user in [relay]",
  });
}

/** From now on SIGHUP means a reload. One that comes before the relay has started is carried out after the start. */
function heedHangup(): (started: Pick<Relay, "reload">) => void {
  let relay: Pick<Relay, "reload"> | undefined;
  let cameEarly = false;
  process.on("SIGHUP", () => {
    if (relay === undefined) cameEarly = true;
    else void relay.reload();
  });
  return (started) => {
    relay = started;
    if (cameEarly) void relay.reload();
  };
}

/** Resolves to the name of the first stop signal. A second one ends the process at once. */
function untilSignal(output: LogOutput, threads: Threads): Promise<string> {
  return new Promise((resolve) => {
    let stopping = false;
    const onSignal = (name: keyof typeof SIGNALS) => {
      if (stopping) void hurry(name, output, threads);
      stopping = true;
      resolve(name);
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  });
}

async function hurry(
  name: keyof typeof SIGNALS,
  output: LogOutput,
  threads: Threads,
): Promise<void> {
  output.flushNow();
  if (!(await threads.end(SHORT_PATIENCE))) endBySignal(name);
  process.exit(128 + SIGNALS[name]);
}
