// What the relay does between its ports and its spool: it becomes its user, and names files that are not his.
//
// Invariant: a Maildir that does not answer stops nothing here. While the process is root no thread of it may hang,
// because a change of user waits for all of them: what root has to make is asked about by processes of their own.
// Everything else is asked by the threads for Maildirs, and the start waits for them only a moment.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Clock } from "../base/clock.ts";
import type { RelayOptions } from "../config/relay-options.ts";
import type { WrittenDirectory } from "../base/durable/directory.ts";
import { FileSystemHangs } from "../maildir/lane.ts";
import type { MaildirDisks } from "../maildir/maildir-disks.ts";
import { makeWritten, shutBelow } from "../maildir/written-directories.ts";
import type { Log } from "../observe/log.ts";
import { loadLibraries } from "../outbox/outbox.ts";
import { dropRoot, warnOfMissing } from "./drop-root.ts";
import { foreignInSpool, requireOwnSpool, shutDirectories } from "./foreign-files.ts";

/** Milliseconds that the start waits for the look at Maildirs. */
const PATIENCE = 1000;
/** Milliseconds after which a directory that root asks about does not answer. */
const ANSWER_TIME = 2000;
/** Milliseconds that the process that asks may take to begin. */
const BEGIN_TIME = 10_000;

const PROBE = fileURLToPath(new URL("directory-probe.js", import.meta.url));

type Used = "user" | "spool_directory" | "dkim";

interface LeavingParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly maildirDisks: MaildirDisks;
}

/**
 * Resolves when the process is no longer root, if it is not to be; `looked` then resolves when the directories of the
 * transports have been looked at, or a second has passed. The log has what is wrong with them.
 */
export async function leaveRoot(
  { user, spool_directory: spoolDirectory, dkim }: Pick<RelayOptions, Used>,
  directories: readonly WrittenDirectory[],
  parts: LeavingParts,
): Promise<{ readonly looked: Promise<void> }> {
  const { clock, log } = parts;
  // Whose files only root may be able to read.
  await loadLibraries(dkim);
  const begun =
    user === undefined || process.getuid?.() !== 0
      ? []
      : dropRoot({ user, spoolDirectory, log, directories: await answering(directories, clock) });
  requireOwnSpool(spoolDirectory);
  const foreign = foreignInSpool(spoolDirectory);
  if (foreign !== undefined) log.event("relay.warning", { what: foreign });
  const looks = directories.map((wanted) => look(wanted, begun.includes(wanted), parts));
  const { promise: looked, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(PATIENCE, resolve);
  const finish = async () => {
    await Promise.all(looks);
    timer.cancel();
    resolve();
  };
  void finish();
  return { looked };
}

async function look(
  wanted: WrittenDirectory,
  isToMake: boolean,
  { log, maildirDisks: { lanes } }: LeavingParts,
): Promise<void> {
  try {
    if (isToMake) await makeWritten(lanes, wanted);
  } catch (error) {
    if (error instanceof FileSystemHangs) return;
    warnOfMissing(wanted, error, log);
  }
  try {
    const what = shutDirectories(await shutBelow(lanes, wanted.path));
    if (what !== undefined) log.event("relay.warning", { what });
  } catch {
    // It hangs, which the log has already, or cannot be read: the first copy will say why.
  }
}

/** Those whose file systems answer. */
async function answering(
  directories: readonly WrittenDirectory[],
  clock: Clock,
): Promise<WrittenDirectory[]> {
  const found = await Promise.all(directories.map(({ path }) => answers(path, clock)));
  return directories.filter((_, index) => found[index]);
}

/** False when a process that asks has begun, and has no answer in time. */
function answers(path: string, clock: Clock): Promise<boolean> {
  const child = spawn(process.execPath, [PROBE, path], { stdio: ["ignore", "pipe", "ignore"] });
  return new Promise((resolve) => {
    const end = (answer: boolean) => {
      timer.cancel();
      child.kill("SIGKILL");
      child.unref();
      child.stdout.destroy();
      resolve(answer);
    };
    let timer = clock.after(BEGIN_TIME, () => end(true));
    child.stdout.on("data", (said: Buffer) => {
      timer.cancel();
      if (said.includes("answers")) end(true);
      else timer = clock.after(ANSWER_TIME, () => end(false));
    });
    child.once("error", () => end(true));
    child.once("close", () => end(true));
  });
}
