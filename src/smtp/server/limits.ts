// The limits of an SMTP session; every one has its option in [relay]. Times in milliseconds, sizes in bytes.

import type { BareNewlines } from "./message-reader.ts";

export interface SessionLimits {
  /** Our name in the greeting and at EHLO. */
  readonly hostname: string;
  readonly sizeMax: number;
  readonly recipientsMax: number;
  readonly commandLineMax: number;
  readonly textLineMax: number;
  readonly errorsMax: number;
  readonly refusedRecipientsMax: number;
  /** Commands that get a client nowhere, since it came or since its last message. */
  readonly junkCommandsMax: number;
  /** Before the greeting, to see who talks first; 0 for none. */
  readonly greetingDelay: number;
  readonly commandTimeout: number;
  readonly tlsTimeout: number;
  readonly messageTimeout: number;
  readonly sessionTimeout: number;
  /** Octets a second that a message must come with, over a minute; 0 for any. */
  readonly dataRateMin: number;
  readonly bareNewlines: BareNewlines;
  /** Who is offered REQUIRETLS, under TLS: hosts of a relay rule, everybody, or nobody. */
  readonly requireTls: "relay" | "all" | "none";
  /** Who is offered DSN, in the same way. */
  readonly dsn: "relay" | "all" | "none";
  /** Domain for the bare <postmaster>. */
  readonly postmasterDomain?: string;
}
