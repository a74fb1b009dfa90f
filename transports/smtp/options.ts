// The options that the smtp and lmtp transports share. transports/smtp.ts and transports/lmtp.ts add their own.

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

/** Options about finding a host and connecting to it. */
export const connectionFields = {
  hosts_randomize: withDefault(flag("Try the hosts in random order for each message."), false),
  hosts_max_try: withDefault(
    integer(
      "Maximum number of addresses to try in one attempt. The next attempt begins with the first again.",
      1,
    ),
    5,
  ),
  interface: optional(
    list(
      "Addresses to connect from. The first one of the same family (IPv4 or IPv6) as the host's address is used.",
      (item) => (isIP(item) === 0 ? "is not an IP address" : undefined),
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
      "TLS by STARTTLS. `none`: never. `opportunistic`: if offered, with any certificate. `required`: always, with any certificate. `verify`: always, with a valid certificate in the host's name.",
      ["none", "opportunistic", "required", "verify"],
    ),
    "opportunistic",
  ),
  tls_tempfail_tryclear: withDefault(
    flag(
      "With opportunistic TLS: if the handshake fails or the host refuses STARTTLS for now, deliver in the clear. After a failed handshake, mail to that address goes in the clear for 10 minutes.",
    ),
    true,
  ),
  tls_verify_certificates: optional(
    readPath("PEM file of the authorities that `verify` trusts."),
    "the authorities that Node.js trusts",
  ),
};

/** Options about the use of a connection and its timeouts. */
export const transferFields = {
  max_rcpt: withDefault(integer("Maximum number of recipients in one transaction.", 1), 100),
  connection_max_messages: withDefault(
    integer("Maximum number of messages on one connection.", 1),
    500,
  ),
  connection_idle: withDefault(
    duration("Time that an unused connection is kept for the next message."),
    "5s",
  ),
  connections_max: withDefault(
    integer(
      "Maximum number of connections to one address at a time. Further messages wait for their turn.",
      1,
    ),
    20,
  ),
  connect_timeout: withDefault(duration("Wait for a connection."), "5m"),
  command_timeout: withDefault(duration("Wait for the greeting and for each reply."), "5m"),
  data_timeout: withDefault(duration("Wait until a block of the message is taken."), "5m"),
  final_timeout: withDefault(duration("Wait for the reply to the end of the message."), "10m"),
};
