// The requests to a thread for the system calls of Maildirs, and its replies.

import type { NewFile } from "../base/durable/file-calls.ts";

/** One system call, or (`place`) all calls that make a message in memory a file. */
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

/** The result of lstat or fstat. */
export interface Look {
  readonly uid: number;
  readonly mode: number;
  readonly isLink: boolean;
}

export type DiskValue = number | Look | undefined;

/** An error of the system, without its class. */
export interface DiskError {
  readonly message: string;
  readonly code?: string;
  readonly errno?: number;
  readonly syscall?: string;
  /** The error of the cleaning up after it, if that failed too. */
  readonly left?: string;
  /** The directory could not be synced: other files that were moved there meanwhile are not safe either. */
  readonly unsynced?: true;
}

/** The reply to one request. */
export type DiskReply = { readonly value: DiskValue } | { readonly error: DiskError };

/** `all` has the replies to a batch of requests. `names` come before it, in pieces. */
export type BatchReply =
  | { readonly names: readonly string[] }
  | { readonly all: readonly DiskReply[] };
