// [relay]: who we are, where the spool is, and the limits that keep one client from harming the others.

import { parseDomain } from "../mail/address.ts";
import {
  duration,
  integer,
  oneOf,
  optional,
  options,
  parsedText,
  path,
  marked,
} from "../options/options.ts";
import { mailbox, rate, size, text, withDefault } from "../options/options.ts";
import { dkimSigners } from "../outbox/dkim-options.ts";
import type { Values } from "../options/options.ts";

const hostname = parsedText(
  "host name",
  {
    doc: "Our own name, for the banner, EHLO and Received. It should have an address record that leads here, and our address a PTR record that leads back.",
    is: 'a host name like "mx.example.com"',
  },
  (written) => {
    const canonical = written.startsWith("[") ? undefined : parseDomain(written);
    return canonical?.includes(".") === true || canonical === "localhost" ? canonical : undefined;
  },
);

export const SPOOL_DIRECTORY = "/var/spool/unseen";

export const relayOptions = options({
  hostname,
  spool_directory: marked(
    { isFixed: true },
    withDefault(
      path("Where messages wait. Created when it is missing; must be on a disk of this machine."),
      SPOOL_DIRECTORY,
    ),
  ),
  spool_reserve: withDefault(
    size(
      "Disk space that new mail leaves free: below it, clients are asked to come later, and the queue drains.",
    ),
    "50M",
  ),
  spool_reserve_inodes: withDefault(
    integer("Inodes that new mail leaves free, on a file system that counts them.", 0),
    1000,
  ),
  user: marked(
    { isFixed: true },
    optional(
      text("The user to become when the ports are bound, if the relay is started as root."),
      "nobody else: root stays root",
    ),
  ),
  postmaster: optional(
    mailbox(
      "Who is sent the daily list of mail that was not delivered and of which no sender was told. docs/bounces.md says what stands in it.",
      "postmaster@example.com",
    ),
    "postmaster@ the first of `local_domains`",
  ),
  dkim: withDefault(dkimSigners, []),
  control_socket: marked(
    { isFixed: true },
    optional(
      path("The Unix socket by which `relayctl` reaches the running relay."),
      "control.sock in the spool directory",
    ),
  ),
  history: marked(
    { isFixed: true },
    withDefault(
      duration(
        "How long `relayctl trace` remembers what became of a message, in whole days; 0s keeps nothing.",
      ),
      "7d",
    ),
  ),
  history_size_limit: marked(
    { isFixed: true },
    withDefault(
      size(
        "Disk space that the history may take. Beyond it the oldest is forgotten, before the time of `history` is over.",
      ),
      "512M",
    ),
  ),
  message_size_limit: withDefault(
    size("The biggest message that is accepted; announced as SIZE."),
    "50M",
  ),
  received_headers_max: withDefault(
    integer("A message with more Received lines than this runs in a circle and is refused.", 1),
    100,
  ),
  addresses_max: withDefault(
    integer(
      "Addresses that the recipients of one message may lead to, after all redirects, each counted once; further recipients get 452 and come in another message. " +
        "An alias that leads to more by itself gets 451 until it is mended.",
      100,
      10_000,
    ),
    1000,
  ),
  recipients_max: withDefault(
    integer("Recipients of one message; further ones get 452 and come in another message.", 100),
    1000,
  ),
  connections_max: withDefault(integer("Clients at the same time.", 1), 1000),
  connections_per_client_max: withDefault(
    integer("Connections that one address may have at the same time.", 1),
    50,
  ),
  connections_per_network_max: withDefault(
    integer(
      "Connections that one /24 of IPv4 or /64 of IPv6 may have at the same time; not less than one client may have. Hosts of a relay rule are exempt.",
      1,
    ),
    200,
  ),
  messages_per_client_rate: optional(
    rate(
      "Messages that one client may bring in a time, `100/1m`; then it is put off. Hosts of a relay rule are exempt.",
    ),
    "no limit",
  ),
  recipients_per_client_rate: optional(
    rate("Recipients that one client may give in a time, in the same way."),
    "no limit",
  ),
  refused_recipients_per_client_rate: withDefault(
    rate(
      "Recipients of one client that may be refused in a time, over all its sessions; then it is put off for a while, for existing recipients too. It stops those who try names to see which exist. Hosts of a relay rule are exempt.",
    ),
    "300/1h",
  ),
  greeting_delay: withDefault(
    duration(
      "How long clients wait for the greeting. Who talks before it is refused, with a delay or without; some malware does not wait so long.",
    ),
    "0s",
  ),
  command_line_max: withDefault(size("The longest command line, in bytes."), "2048"),
  text_line_max: withDefault(
    size("The longest line of a message. Shorter ones pass unchanged; RFC 5321 grants only 1000."),
    "64K",
  ),
  bare_newlines: withDefault(
    oneOf(
      "A message with a bare CR or LF: refuse it, or make each of them CRLF. Neither ever ends a message, and in commands they are refused in any case.",
      ["reject", "normalize"],
    ),
    "reject",
  ),
  requiretls: withDefault(
    oneOf(
      "Who is offered REQUIRETLS (RFC 8689) under TLS: hosts of a relay rule, everybody, or nobody. Such mail goes only to hosts with a valid certificate that offer it too, and else back to its sender. Google offers it not: with `all`, such mail for your people bounces.",
      ["relay", "all", "none"],
    ),
    "relay",
  ),
  dsn: withDefault(
    oneOf(
      "Who is offered DSN (RFC 3461), and so may ask for reports: hosts of a relay rule, everybody, or nobody. The parameters of others are checked and then ignored: no report of success is written for them.",
      ["relay", "all", "none"],
    ),
    "relay",
  ),
  protocol_errors_max: withDefault(integer("So many errors end a session.", 1), 20),
  refused_recipients_max: withDefault(integer("So many refused recipients end a session.", 1), 50),
  junk_commands_max: withDefault(
    integer(
      "So many NOOP, RSET, VRFY, HELO and EHLO without a message between them end a session.",
      10,
    ),
    100,
  ),
  command_timeout: withDefault(duration("How long a client may take for its next command."), "5m"),
  message_timeout: withDefault(
    duration("How long a client may take from MAIL to DATA, and again for the message itself."),
    "30m",
  ),
  data_rate_min: withDefault(
    integer("Bytes a second, over a minute, that a message must come with. 0 for any pace."),
    100,
  ),
  tls_timeout: withDefault(duration("How long a client may take for a TLS handshake."), "30s"),
  session_timeout: withDefault(duration("How long a session may last in all."), "2h"),
});

export type RelayOptions = Values<typeof relayOptions>;
