// The state of fail-over, in a file of the spool directory.
//
// Invariants:
// - After a crash there is the old state or the new one.
// - With a file that cannot be read, fail-over is on: mail waits, and none is lost.

import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isTable } from "../../base/table.ts";
import { syncDirectory } from "../../base/durable/directory.ts";
import { replaceFile } from "../../base/durable/kept-files.ts";
import { errorCode } from "../../base/error-code.ts";
import { given } from "../../base/given.ts";
import { describeError } from "../../observe/log.ts";

const MODES = ["on", "keep-local", "releasing"] as const;

/** Absent: fail-over is off, and nothing waits. */
export interface FailOverState {
  /**
   * - on: mail waits.
   * - keep-local: mail is settled by its copies, and waits without one.
   * - releasing: fail-over has ended, and mail that waits is released.
   */
  readonly mode: (typeof MODES)[number];
  /** The time of `failover on`, in milliseconds since the epoch; 0 if it is unknown. */
  readonly since: number;
  readonly why?: string;
}

function stateFile(spoolDirectory: string): string {
  return join(spoolDirectory, "failover.json");
}

export async function readState(spoolDirectory: string): Promise<FailOverState | undefined> {
  const file = stateFile(spoolDirectory);
  try {
    return stateIn(JSON.parse(await readFile(file, "utf8")));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    return { mode: "on", since: 0, why: `${file} cannot be read: ${describeError(error)}` };
  }
}

function stateIn(value: unknown): FailOverState {
  if (!isTable(value)) throw new TypeError("it holds no state");
  const { mode: written, since, why } = value;
  const mode = MODES.find((known) => known === written);
  if (mode === undefined) throw new TypeError("it holds no state");
  return {
    mode,
    since: typeof since === "number" ? since : 0,
    ...given({ why: typeof why === "string" ? why : undefined }),
  };
}

/** Resolves when the state is on disk. Undefined: fail-over is off. */
export async function writeState(
  spoolDirectory: string,
  state: FailOverState | undefined,
): Promise<void> {
  const file = stateFile(spoolDirectory);
  if (state !== undefined) return replaceFile(file, `${JSON.stringify(state)}\n`);
  await rm(file, { force: true });
  await syncDirectory(spoolDirectory);
}
