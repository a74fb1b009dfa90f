// A file system that hangs, for a process that is started with it: calls on a directory do not return while this is
// wanted. Needs a C compiler, and Linux.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Kinds of calls. */
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
  /** For a process whose calls below the directory are to hang. */
  readonly environment: NodeJS.ProcessEnv;
  /** These calls do not return from now on, or all, until `answer`. */
  hang(...calls: readonly HangingCall[]): void;
  answer(): void;
  /** Calls that have waited since the last `hang`, as "kind path". */
  waiting(): string[];
}

const SOURCE = fileURLToPath(new URL("hanging-files.c", import.meta.url));

/** `workspace` is not below `directory`, and takes what this needs. */
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
