// A file system that hangs, for a process that is started with it: calls on a directory do not return while the test
// wants that. Needs Linux and a C compiler.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Kinds of system calls. */
export type HangingCall =
  | "create"
  | "look"
  | "mkdir"
  | "names"
  | "open"
  | "read"
  | "rename"
  | "statfs"
  | "sync"
  | "sync-directory"
  | "unlink"
  | "write";

export interface HangingFiles {
  /** The environment for a process whose calls below the directory shall hang. */
  readonly environment: NodeJS.ProcessEnv;
  /** From now on these calls, or all calls, do not return until `answer`. */
  hang(...calls: readonly HangingCall[]): void;
  answer(): void;
  /** Calls that have hung since the last `hang`, as "kind path". */
  waiting(): string[];
}

const SOURCE = fileURLToPath(new URL("hanging-files.c", import.meta.url));

/** `workspace` is a directory for the library and its control file. It must not be below `directory`. */
export function hangingFiles(directory: string, workspace: string): HangingFiles {
  const library = join(workspace, "hanging-files.so");
  const control = join(workspace, "hanging");
  const waiting = `${control}.waiting`;
  if (!existsSync(library)) {
    execFileSync("cc", ["-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"]);
  }
  return {
    environment: {
      LD_PRELOAD: library,
      UNSEEN_HANG_BELOW: directory,
      UNSEEN_HANG_WHILE: control,
    },
    hang(...calls) {
      rmSync(waiting, { force: true });
      writeFileSync(`${control}.next`, calls.length === 0 ? "all" : calls.join(" "));
      renameSync(`${control}.next`, control);
    },
    answer: () => rmSync(control, { force: true }),
    waiting: () =>
      existsSync(waiting) ? readFileSync(waiting, "utf8").split("\n").slice(0, -1) : [],
  };
}
