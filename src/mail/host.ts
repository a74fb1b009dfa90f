// A next hop, what goes wrong with one, and what is kept of one that could not be used.

import type { Status } from "./status.ts";

/** A next hop. Without `addresses` the transport looks the name up itself (A and AAAA, never MX). */
export interface Host {
  readonly name: string;
  readonly port?: number;
  /** Resolved and filtered already, in the order to be tried. */
  readonly addresses?: readonly string[];
  /** The mail domain that DNS names this host for; absent when somebody wrote the host down. */
  readonly domain?: string;
  /** DNSSEC vouches for it, from the domain's MX to the host's addresses. */
  readonly secure?: true;
  /** Where CNAMEs lead to, if the name is an alias. */
  readonly canonical?: string;
}

/** What a retry rule can ask for beside the reply itself (Exim's names). */
export type RetryError =
  | "timeout"
  | "refused"
  | "lost_connection"
  | "tls_required"
  | "auth_failed"
  | "lookup"
  | "quota";

/** What a delivery waits for: a host, an account at one, or a Maildir, that can be used again. */
export interface Awaited {
  /** The key of its hint. */
  readonly key: string;
  /** The name by which retry rules know it; absent where it is an account. */
  readonly host?: string;
}

export interface HostHint {
  /** Milliseconds since the epoch, all three. */
  readonly firstFailure: number;
  readonly nextTry: number;
  /** When `nextTry` was worked out. */
  readonly savedAt: number;
  readonly status: Status;
}
