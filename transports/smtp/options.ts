// The options that SMTP and LMTP have in common: transports/smtp.ts and transports/lmtp.ts add their own.

import { isIP } from "node:net";
import {
  duration,
  flag,
  integer,
  list,
  oneOf,
  optional,
  readPath,
  text,
  withDefault,
} from "../../src/options/options.ts";

export const HOST_FORMS = '"host", "host:port" or "[v6]:port"; addresses are looked up, never MX';

/** How a host is found and spoken to. */
export const connectionFields = {
  hosts_randomize: withDefault(flag("Try the hosts in another order for each message."), false),
  hosts_max_try: withDefault(
    integer("Addresses to try in one attempt; the next attempt begins with the first again.", 1),
    5,
  ),
  interface: optional(
    list(
      "Addresses to connect from: the first of the family of the host's address.",
      (item) => (isIP(item) === 0 ? "is no address" : undefined),
      { type: "list of addresses" },
    ),
    "chosen by the system",
  ),
  helo: optional(
    text("Name to say in EHLO, or LHLO.", { test: /^[!-~]{1,255}$/, is: "a name without spaces" }),
    "hostname of [relay]",
  ),
  tls: withDefault(
    oneOf(
      "TLS by STARTTLS: never, if offered with any certificate, always with any certificate, or only with a valid certificate in the host's name.",
      ["none", "opportunistic", "required", "verify"],
    ),
    "opportunistic",
  ),
  tls_tempfail_tryclear: withDefault(
    flag(
      "With opportunistic TLS: when the handshake fails or is put off, deliver in the clear, and for ten minutes without another try.",
    ),
    true,
  ),
  tls_verify_certificates: optional(
    readPath("PEM file of the authorities that `verify` trusts."),
    "the authorities that Node.js trusts",
  ),
};

/** How much goes over a connection, and how long it may take. */
export const transferFields = {
  max_rcpt: withDefault(integer("Recipients in one transaction.", 1), 100),
  connection_max_messages: withDefault(integer("Messages on one connection.", 1), 500),
  connection_idle: withDefault(
    duration("How long an unused connection is kept for the next message."),
    "5s",
  ),
  connections_max: withDefault(
    integer("Connections to one address at a time; further messages wait for their turn.", 1),
    20,
  ),
  connect_timeout: withDefault(duration("Wait for a connection."), "5m"),
  command_timeout: withDefault(duration("Wait for the greeting and for each reply."), "5m"),
  data_timeout: withDefault(duration("Wait until a block of the message is taken."), "5m"),
  final_timeout: withDefault(duration("Wait for the reply to the end of the message."), "10m"),
};
