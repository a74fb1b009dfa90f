// The step between binding the ports and opening the spool: the relay becomes its user and reports files of other
// users.
//
// Invariant: a Maildir whose file system does not answer does not stop the start. While the process is root, none of
// its threads may hang, because a change of user waits for all of them. So separate processes check the directories
// that root has to create. All other checks run in the threads for Maildirs, and the start waits for them at most one
// second.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Clock } from "../base/clock.ts";
import type { Configuration } from "../config/configuration.ts";
import type { WrittenDirectory } from "../base/durable/directory.ts";
import { FileSystemHangs } from "../disks/maildir-disks.ts";
import type { SharedDisks } from "../disks/disks.ts";
import type { Log } from "../observe/log.ts";
import { loadLibraries } from "../outbox/outbox.ts";
import { dropRoot, warnOfMissing } from "./drop-root.ts";
import { foreignInSpool, requireOwnSpool, shutDirectories } from "./foreign-files.ts";

/** Milliseconds that the start waits for the check of Maildirs. */
const PATIENCE = 1000;
/** Milliseconds after which a directory checked by root counts as one that does not answer. */
const ANSWER_TIME = 2000;
/** Milliseconds that the checking process may take to start. */
const BEGIN_TIME = 10_000;

const PROBE = fileURLToPath(new URL("directory-probe.js", import.meta.url));

type Used = "user" | "spool_directory" | "dkim";

interface LeavingParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly maildirDisks: SharedDisks;
}

/**
 * Resolves when the process has given up root, if a user is configured. `looked` resolves when the directories of the
 * transports have been checked, or after a second. The log names their problems.
 */
export async function leaveRoot(
  { user, spool_directory: spoolDirectory, dkim }: Pick<Configuration["relay"], Used>,
  directories: readonly WrittenDirectory[],
  parts: LeavingParts,
): Promise<{ readonly looked: Promise<void> }> {
  const { clock, log } = parts;
  // Some library files may be readable by root only.
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
  { log, maildirDisks }: LeavingParts,
): Promise<void> {
  try {
    if (isToMake) await maildirDisks.make(wanted);
  } catch (error) {
    if (error instanceof FileSystemHangs) return;
    warnOfMissing(wanted, error, log);
  }
  try {
    const what = shutDirectories(await maildirDisks.shutBelow(wanted.path));
    if (what !== undefined) log.event("relay.warning", { what });
  } catch {
    // The file system hangs, which the log says already, or the directory cannot be read: the first copy will report
    // why.
  }
}

/** The directories whose file systems answer. */
async function answering(
  directories: readonly WrittenDirectory[],
  clock: Clock,
): Promise<WrittenDirectory[]> {
  const found = await Promise.all(directories.map(({ path }) => answers(path, clock)));
  return directories.filter((_, index) => found[index]);
}

/** False when the checking process has started but got no answer in time. */
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
