// [relay]: the relay's own name, the place of the spool, and the limits that keep one client from harming the others.

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
      path(
        "The directory in which messages wait. Created when it is missing; must be on a disk of this machine.",
      ),
      SPOOL_DIRECTORY,
    ),
  ),
  spool_reserve: withDefault(
    size(
      "Disk space that new mail leaves free. With less, clients are asked to try later, and the queue drains.",
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
      "none: root stays root",
    ),
  ),
  postmaster: optional(
    mailbox(
      "The address for the daily list of mail that was not delivered and of which no sender was told. docs/bounces.md describes the list.",
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
        "Time for which `relayctl trace` remembers the outcome of a message, in whole days; 0s keeps nothing.",
      ),
      "7d",
    ),
  ),
  history_size_limit: marked(
    { isFixed: true },
    withDefault(
      size(
        "Disk space that the history may take. Above it, the oldest days are deleted before the time of `history` is over.",
      ),
      "512M",
    ),
  ),
  message_size_limit: withDefault(
    size("The biggest message that is accepted; announced as SIZE."),
    "50M",
  ),
  received_headers_max: withDefault(
    integer("A message with more Received lines than this is in a mail loop and is refused.", 1),
    100,
  ),
  addresses_max: withDefault(
    integer(
      "Addresses that the recipients of one message may lead to, after all redirects, each counted once. Further recipients get 452, and the client sends them in another message. " +
        "An alias that alone leads to more gets 451 until it is corrected.",
      100,
      10_000,
    ),
    1000,
  ),
  recipients_max: withDefault(
    integer(
      "Recipients of one message. Further ones get 452, and the client sends them in another message.",
      100,
    ),
    1000,
  ),
  connections_max: withDefault(integer("Connections of clients at the same time.", 1), 1000),
  connections_per_client_max: withDefault(
    integer("Connections that one address may have at the same time.", 1),
    50,
  ),
  connections_per_network_max: withDefault(
    integer(
      "Connections that one /24 of IPv4 or /64 of IPv6 may have at the same time. If it is less than `connections_per_client_max`, that number applies. Hosts of a relay rule are exempt.",
      1,
    ),
    200,
  ),
  messages_per_client_rate: optional(
    rate(
      "Messages that one client may send in a time, such as `100/1m`. Above it, the client is asked to try later. Hosts of a relay rule are exempt.",
    ),
    "no limit",
  ),
  recipients_per_client_rate: optional(
    rate("Recipients that one client may name in a time, in the same way."),
    "no limit",
  ),
  refused_recipients_per_client_rate: withDefault(
    rate(
      "Recipients of one client that may be refused in a time, over all its sessions. Above it, the client is asked to try later, for existing recipients too. This stops clients that try names to find out which exist. Hosts of a relay rule are exempt.",
    ),
    "300/1h",
  ),
  greeting_delay: withDefault(
    duration(
      "Time that clients have to wait for the greeting. A client that talks before the greeting is refused, with a delay or without. Some malware does not wait.",
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
      "The treatment of a message with a bare CR or LF: refuse it, or turn each of them into CRLF. A bare CR or LF never ends a message, and in commands it is always refused.",
      ["reject", "normalize"],
    ),
    "reject",
  ),
  requiretls: withDefault(
    oneOf(
      "The clients that are offered REQUIRETLS (RFC 8689) under TLS: hosts of a relay rule, all clients, or none. Such mail is sent only to hosts with a valid certificate that offer REQUIRETLS too. Otherwise it bounces. Google does not offer it: with `all`, such mail for your users bounces.",
      ["relay", "all", "none"],
    ),
    "relay",
  ),
  dsn: withDefault(
    oneOf(
      "The clients that are offered DSN (RFC 3461), and so may ask for reports: hosts of a relay rule, all clients, or none. The parameters of other clients are checked and then ignored: they get no report of success.",
      ["relay", "all", "none"],
    ),
    "relay",
  ),
  protocol_errors_max: withDefault(integer("Number of errors at which a session is ended.", 1), 20),
  refused_recipients_max: withDefault(
    integer("Number of refused recipients at which a session is ended.", 1),
    50,
  ),
  junk_commands_max: withDefault(
    integer(
      "Number of NOOP, RSET, VRFY, HELO and EHLO without a message between them at which a session is ended.",
      10,
    ),
    100,
  ),
  command_timeout: withDefault(duration("Time that a client has for its next command."), "5m"),
  message_timeout: withDefault(
    duration("Time that a client has from MAIL to DATA, and again for the message itself."),
    "30m",
  ),
  data_rate_min: withDefault(
    integer(
      "Bytes a second, averaged over a minute, that a client must send a message with. 0: any pace.",
    ),
    100,
  ),
  tls_timeout: withDefault(duration("Time that a client has for a TLS handshake."), "30s"),
  session_timeout: withDefault(duration("Longest duration of a session."), "2h"),
});

export type RelayOptions = Values<typeof relayOptions>;
