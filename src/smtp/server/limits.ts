// The limits of an SMTP session. Each has its option in [relay]. Times are in milliseconds, sizes in bytes.

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
  /** Commands without progress, since the session began or since its last message. */
  readonly junkCommandsMax: number;
  /** Wait before the greeting, in which a client that sends early is found out. 0 turns it off. */
  readonly greetingDelay: number;
  readonly commandTimeout: number;
  readonly tlsTimeout: number;
  readonly messageTimeout: number;
  readonly sessionTimeout: number;
  /** Lowest rate of a message in octets a second, averaged over one minute. 0 turns it off. */
  readonly dataRateMin: number;
  readonly bareNewlines: BareNewlines;
  /** REQUIRETLS is offered under TLS to hosts of a relay rule ("relay"), to all clients, or to none. */
  readonly requireTls: "relay" | "all" | "none";
  /** DSN is offered to hosts of a relay rule ("relay"), to all clients, or to none. */
  readonly dsn: "relay" | "all" | "none";
  /** Domain that completes the bare <postmaster>. Absent: that address is refused. */
  readonly postmasterDomain?: string;
}
