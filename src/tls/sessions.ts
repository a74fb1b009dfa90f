// How TLS went on a connection, and who is told.

import type { TlsFailure } from "./results.ts";

/** A policy as it stands in a report (RFC 8460 4.2). */
export interface ShownPolicy {
  readonly type: "tlsa" | "sts" | "no-policy-found";
  /** RFC 8460 1.1: for DANE, where its records stand; else the mail domain. */
  readonly domain: string;
  readonly lines: readonly string[];
  /** MTA-STS only. */
  readonly mx: readonly string[];
}

export interface SessionFailure extends TlsFailure {
  /** Our own address, the name of the host, and its address; absent where nobody was connected. */
  readonly from?: string;
  readonly host?: string;
  readonly to?: string;
}

/** A connection, by the policy that it was under. */
export interface TlsSession {
  readonly policy: ShownPolicy;
  readonly failure?: SessionFailure;
}

/** Who is told how TLS went. */
export interface TlsSessions {
  /** `session` is asked for only if there may be a report. */
  ended(domain: string, session: () => TlsSession): void;
}
