// smtp: delivers to a remote host over SMTP, as Exim's transport of that name does, with Exim's option names and
// defaults. What it does is divided: smtp/delivery.ts takes one batch to one host after the other,
// smtp/pool.ts keeps connections for the next message, src/smtp/client/client.ts speaks the protocol.

import { nextHops } from "../src/options/next-hops.ts";
import { readSecret, secretFile } from "../src/options/secret-file.ts";
import {
  flag,
  integer,
  oneOf,
  optional,
  options,
  rate,
  text,
  type Values,
  withCheck,
  withDefault,
} from "../src/options/options.ts";
import type { TransportDriver } from "../src/contract/contract.ts";
import type { Credentials } from "../src/smtp/client/auth.ts";
import { deliverBatch } from "./smtp/delivery.ts";
import { contextOf, tlsRuleOf } from "./smtp/context.ts";
import { connectionFields, HOST_FORMS, transferFields } from "./smtp/options.ts";
import type { Rate } from "./smtp/rate-limit.ts";
import type { SmtpOptions } from "./smtp/resolved-options.ts";
import type { Host } from "../src/mail/host.ts";

/**
 * An account of Google's takes 60 messages a minute and may be closed for a day when it gets more. What comes in
 * goes on as it comes, for the world sends no faster through us; but a queue that drains must not be the burst.
 */
const GOOGLE_RATE: Rate = { count: 60, window: 60_000, drainOnly: true };

function isGoogle(hosts: readonly Host[] | undefined): boolean {
  return hosts?.some(({ name }) => /\.(?:google|googlemail)\.com$/i.test(name)) === true;
}

const declaredOptions = options({
  hosts: optional(
    nextHops(`Hosts to try in this order, unless the router gives some: ${HOST_FORMS}.`),
    "the hosts that the router found",
  ),
  fallback_hosts: optional(nextHops(`Hosts to try when all others have failed: ${HOST_FORMS}.`)),
  protocol: withDefault(
    oneOf("With `smtps`, TLS begins with the first byte, and `tls` says how far it is checked.", [
      "smtp",
      "smtps",
    ]),
    "smtp",
  ),
  port: optional(
    integer("Port of hosts that are written without one.", 1, 65_535),
    "25, or 465 with `smtps`",
  ),
  ...connectionFields,
  dane: withDefault(
    flag(
      "With `tls` opportunistic or required: where DNSSEC vouches for a host and its TLSA records, only with a certificate that matches them (RFC 7672). Needs `dnssec` in [dns].",
    ),
    true,
  ),
  mta_sts: withDefault(
    flag(
      "With `tls` opportunistic or required: to the mail hosts of a domain that has an MTA-STS policy, only as it says (RFC 8461). Not for hosts that are written down, nor where DANE says more.",
    ),
    true,
  ),
  auth_user: optional(
    text("The name to log in with, to `hosts` and to no other host.", {
      test: /^[^\p{Cc}]+$/u,
      is: "a name without control characters",
    }),
    "no AUTH",
  ),
  auth_password_file: optional(
    secretFile(
      "File whose first line is the password; only its owner and group may read it. It is read at each login.",
    ),
  ),
  auth_tls: withDefault(
    oneOf(
      "The least TLS under which the password is told, in the words of `tls`, which is raised to this.",
      ["verify", "required", "none"],
    ),
    "verify",
  ),
  eight_bit: withDefault(
    oneOf(
      "Content that its client declared as 8-bit, and a host without 8BITMIME: the message goes as it is, as with Exim, or it bounces (RFC 6152).",
      ["pass", "bounce"],
    ),
    "pass",
  ),
  rate: optional(
    rate(
      "Messages to one domain in a time, `600/1h`. Mail that has waited in the queue is spread evenly over it.",
    ),
  ),
  recipient_rate: optional(
    rate("Messages to one recipient in a time, `60/1m`, in the same way."),
    "no limit, but 60/1m for mail that has waited if the hosts are Google's, which blocks an account that gets more",
  ),
  ...transferFields,
});

type Given = Values<typeof declaredOptions>;

const smtpOptions = withCheck(declaredOptions, (given, report) => {
  const { auth_user: user, auth_password_file: file, auth_tls: least, hosts, tls } = given;
  if (tls === "none" && given.protocol === "smtps") {
    report("tls", 'cannot be "none": protocol is "smtps"');
  }
  if (user === undefined && file === undefined) return;
  if (file === undefined) report("auth_password_file", "is missing (path): there is an auth_user");
  if (user === undefined) report("auth_user", "is missing (text): there is an auth_password_file");
  if (hosts === undefined) {
    report(
      "hosts",
      "is missing (list of next hops): only hosts that stand here are shown a password",
    );
  }
  if (tls === "none" && least !== "none") {
    report("tls", `cannot be "none": auth_tls is "${least}", so that nobody reads the password`);
  }
});

const STRICTNESS = ["none", "opportunistic", "required", "verify"] as const;

/** What the password asks for, or the protocol, if that is more than `tls`. */
function strictest(given: Given, credentials: Credentials | undefined): SmtpOptions["tls"] {
  const asked: SmtpOptions["tls"][] = [given.tls, credentials?.tls ?? "none"];
  if (given.protocol === "smtps") asked.push("required");
  return STRICTNESS.findLast((mode) => asked.includes(mode)) ?? "verify";
}

function credentialsOf(given: Given): Credentials | undefined {
  const { auth_user: user, auth_password_file: file, auth_tls: tls } = given;
  if (user === undefined || file === undefined) return undefined;
  return { user, tls, password: () => readSecret(file) };
}

/**
 * Outcomes, for each recipient:
 * - delivered: the host answered 2xx to its RCPT and to the end of the message.
 * - failed: 5xx to its RCPT, or to MAIL, DATA or the end of the message; the host does not take what the message
 *   is (8-bit 5.6.3 with `eight_bit = "bounce"`, UTF-8 5.6.7, its size 5.3.4). No other host is asked.
 * - failed, 5.7.30: the message requires TLS, and no host can ever take it so: none of them offers STARTTLS and
 *   REQUIRETLS, with a valid certificate, under a name that somebody vouches for.
 * - deferred, message, with an alarm: one of `hosts` says in place of these that we have to log in (530, 534, 535, 538).
 * - deferred, recipient: 4xx to its RCPT, or no answer to it. After 421, or no answer, the next host is asked first.
 * - deferred, message: 4xx to MAIL, DATA or the end of the message; the connection was lost after the final dot;
 *   our copy cannot be read. No other host is asked, but after 421.
 * - deferred, host: every host that was tried has no address, or refused or lost the connection, greeted with
 *   anything but 2xx, failed at EHLO, TLS or AUTH (5xx with an alarm), timed out or broke the protocol; or there is no host.
 *   So also when its certificate does not match its TLSA records, when they cannot be looked up, and when the
 *   domain's MTA-STS policy does not allow for it: 4.7.5.
 *   `notBefore` is the next time of the first of them.
 * - deferred, untried: `rate` or `recipient_rate` is used up; the recipient has been put off; the retry time of
 *   every host has not come, or too many wait for it already; no connection came free in time.
 * - deferred, not passed, of a message that is still coming in: the connection was lost before its end was sent, or
 *   it was put off in its middle, or answered with 421; it must be whole for this host, or to be sent a second time;
 *   the host has only one connection to spare, or failed the last time. No other host is asked.
 */
export const smtp: TransportDriver<Given> = {
  name: "smtp",
  options: smtpOptions,
  create(given, services) {
    const credentials = credentialsOf(given);
    const settings: SmtpOptions = {
      ...given,
      port: given.port ?? (given.protocol === "smtps" ? 465 : 25),
      tls: strictest(given, credentials),
      credentials,
      socket: undefined,
      recipient_rate: given.recipient_rate ?? (isGoogle(given.hosts) ? GOOGLE_RATE : undefined),
    };
    const context = contextOf(settings, services);
    return {
      locality: "remote",
      hosts: given.hosts ?? given.fallback_hosts ?? [],
      batchKey: ({ mailbox }) => mailbox.domain,
      deliver: (batch, signal) => deliverBatch(context, batch, signal),
      tlsRule: (host) => tlsRuleOf(context, host),
      close: () => context.pool.close(),
    };
  },
};
