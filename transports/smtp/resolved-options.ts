// The options of the smtp transport as its parts see them, with the defaults that depend on other options filled in.
// Durations are in milliseconds. transports/smtp.ts declares and documents them.

import type { Host } from "../../src/mail/host.ts";
import type { Protocol, TlsMode } from "../../src/smtp/client/client.ts";
import type { EightBit } from "../../src/smtp/client/message.ts";
import type { Credentials } from "../../src/smtp/client/auth.ts";
import type { Rate } from "./rate-limit.ts";

export interface SmtpOptions {
  readonly protocol: Protocol;
  /** Path of a Unix socket, used instead of hosts. */
  readonly socket: string | undefined;
  readonly hosts: readonly Host[] | undefined;
  readonly fallback_hosts: readonly Host[] | undefined;
  readonly hosts_randomize: boolean;
  readonly hosts_max_try: number;
  readonly port: number;
  readonly interface: readonly string[] | undefined;
  readonly helo: string | undefined;
  readonly tls: Exclude<TlsMode, "dane">;
  readonly dane: boolean;
  readonly mta_sts: boolean;
  readonly tls_tempfail_tryclear: boolean;
  readonly tls_verify_certificates: string | undefined;
  /** Sent only to `hosts`. */
  readonly credentials: Credentials | undefined;
  readonly eight_bit: EightBit;
  readonly max_rcpt: number;
  readonly connection_max_messages: number;
  readonly connection_idle: number;
  readonly connections_max: number;
  readonly rate: Rate | undefined;
  readonly recipient_rate: Rate | undefined;
  readonly connect_timeout: number;
  readonly command_timeout: number;
  readonly data_timeout: number;
  readonly final_timeout: number;
}
