// A next hop, the errors that it can cause, and the record of one that could not be used.

import type { Status } from "./status.ts";

/** A next hop. Without `addresses` the transport looks the name up itself (A and AAAA, never MX). */
export interface Host {
  readonly name: string;
  readonly port?: number;
  /** Already resolved and filtered, in the order in which they are tried. */
  readonly addresses?: readonly string[];
  /** The mail domain whose DNS names this host. Absent when the postmaster named the host. */
  readonly domain?: string;
  /** DNSSEC confirms it, from the domain's MX to the host's addresses. */
  readonly secure?: true;
  /** The name at the end of the CNAMEs, if the name is an alias. */
  readonly canonical?: string;
}

/** Kinds of errors that a retry rule can name in addition to the reply itself (Exim's names). */
export type RetryError =
  | "timeout"
  | "refused"
  | "lost_connection"
  | "tls_required"
  | "auth_failed"
  | "lookup"
  | "quota";

/** A host, an account at a host, or a Maildir that a delivery waits for until it can be used again. */
export interface Awaited {
  /** The key of its hint. */
  readonly key: string;
  /** The name that retry rules use; absent for an account. */
  readonly host?: string;
}

export interface HostHint {
  /** All three times are milliseconds since the epoch. */
  readonly firstFailure: number;
  readonly nextTry: number;
  /** The time at which `nextTry` was calculated. */
  readonly savedAt: number;
  readonly status: Status;
}
