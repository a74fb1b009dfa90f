// The result of TLS on a connection, for reports.

import type { TlsFailure } from "./results.ts";

/** A policy as a report shows it (RFC 8460 4.2). */
export interface ShownPolicy {
  readonly type: "tlsa" | "sts" | "no-policy-found";
  /** RFC 8460 1.1: for DANE, the domain of its records; else the mail domain. */
  readonly domain: string;
  readonly lines: readonly string[];
  /** Empty except for MTA-STS. */
  readonly mx: readonly string[];
}

export interface SessionFailure extends TlsFailure {
  /** The relay's address, the name of the host, and its address; absent without a connection. */
  readonly from?: string;
  readonly host?: string;
  readonly to?: string;
}

/** A connection, with the policy that applied to it. */
export interface TlsSession {
  readonly policy: ShownPolicy;
  readonly failure?: SessionFailure;
}

/** Counts the results of TLS. */
export interface TlsSessions {
  /** `session` is called only if the domain may get a report. */
  ended(domain: string, session: () => TlsSession): void;
}
