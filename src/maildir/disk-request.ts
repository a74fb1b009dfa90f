// What a thread for the system calls of Maildirs is asked, and what it answers.

import type { NewFile } from "../base/durable/file-calls.ts";

/** One system call, or those by which a message in memory becomes a file. */
export type DiskRequest =
  | {
      readonly op: "open";
      readonly path: string;
      readonly flags: number;
      readonly mode?: number | undefined;
    }
  | { readonly op: "write"; readonly fd: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly op: "fsync" | "close" | "fstat"; readonly fd: number }
  | { readonly op: "unlink" | "lstat" | "names"; readonly path: string }
  /** Whether this process may do what `mode` says, as access(2) has it. */
  | { readonly op: "access"; readonly path: string; readonly mode: number }
  | { readonly op: "mkdir"; readonly path: string; readonly mode: number }
  | { readonly op: "rename"; readonly from: string; readonly to: string }
  | ({ readonly op: "place" } & NewFile);

/** What a look at a file has shown. */
export interface Look {
  readonly uid: number;
  readonly mode: number;
  readonly isLink: boolean;
}

/** An error of the system, without its class. */
export interface DiskError {
  readonly message: string;
  readonly code?: string;
  readonly errno?: number;
  readonly syscall?: string;
  /** What could not be put away after it. */
  readonly left?: string;
  /** The directory could not be synced: what else was moved there meanwhile is not safe either. */
  readonly unsynced?: true;
}

/** One for each request. */
export type DiskReply =
  | { readonly value: number | Look | undefined }
  | { readonly error: DiskError };

/** All of a batch of requests; `names` come before it, some at a time. */
export type BatchReply =
  | { readonly names: readonly string[] }
  | { readonly all: readonly DiskReply[] };
