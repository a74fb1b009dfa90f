// smtp: delivers to a remote host over SMTP, as Exim's transport of that name does, with Exim's option names and
// defaults. smtp/delivery.ts takes one batch to one host after the other, smtp/pool.ts keeps connections for the next
// message, and src/smtp/client/client.ts speaks the protocol.

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
import { contextOf, reachHost, tlsRuleOf } from "./smtp/context.ts";
import { connectionFields, HOST_FORMS, transferFields } from "./smtp/options.ts";
import { dkimKeys } from "../src/outbox/dkim-options.ts";
import { notWhole } from "./smtp/reasons.ts";
import type { Rate } from "./smtp/rate-limit.ts";
import type { SmtpOptions } from "./smtp/resolved-options.ts";
import { SubmissionSigner } from "./smtp/signing.ts";
import type { Host } from "../src/mail/host.ts";

/**
 * A Google account accepts 60 messages a minute. If it gets more, Google may block it for a day. New mail is exempt,
 * because it comes no faster through the relay than without it. Mail that has waited in the queue is held to the rate,
 * so that a draining queue makes no burst.
 */
const GOOGLE_RATE: Rate = { count: 60, window: 60_000, drainOnly: true };

function isGoogle(hosts: readonly Host[] | undefined): boolean {
  return hosts?.some(({ name }) => /\.(?:google|googlemail)\.com$/i.test(name)) === true;
}

const declaredOptions = options({
  hosts: optional(
    nextHops(`Hosts to try, in this order, if the router names none: ${HOST_FORMS}.`),
    "the hosts that the router found",
  ),
  fallback_hosts: optional(nextHops(`Hosts to try when all others have failed: ${HOST_FORMS}.`)),
  protocol: withDefault(
    oneOf(
      "With `smtps`, TLS begins with the first byte, and `tls` sets the check of the certificate.",
      ["smtp", "smtps"],
    ),
    "smtp",
  ),
  port: optional(
    integer("Port of hosts that are written without a port.", 1, 65_535),
    "25, or 465 with `smtps`",
  ),
  ...connectionFields,
  dane: withDefault(
    flag(
      "With `tls` opportunistic or required: if DNSSEC vouches for a host and its TLSA records, deliver only with a certificate that matches them (RFC 7672). Needs `dnssec` in [dns].",
    ),
    true,
  ),
  mta_sts: withDefault(
    flag(
      "With `tls` opportunistic or required: if a domain has an MTA-STS policy, deliver to its mail hosts only as the policy says (RFC 8461). Hosts that the configuration names are exempt, and DANE comes first.",
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
      "File with the password in its first line. Only its owner and group may read it. It is read at each login.",
    ),
  ),
  auth_tls: withDefault(
    oneOf(
      "The least TLS under which the password is sent, with the values of `tls`. If `tls` is less strict, it is raised to this.",
      ["verify", "required", "none"],
    ),
    "verify",
  ),
  eight_bit: withDefault(
    oneOf(
      "If content was declared as 8-bit and the host does not offer 8BITMIME, `pass` sends the message as it is, as Exim does, and `bounce` bounces it (RFC 6152).",
      ["pass", "bounce"],
    ),
    "pass",
  ),
  rate: optional(
    rate(
      "Maximum number of messages to one domain in a time, such as `600/1h`. Mail that has waited in the queue is spread evenly over that time.",
    ),
  ),
  recipient_rate: optional(
    rate(
      "Maximum number of messages to one recipient in a time, such as `60/1m`. Mail that has waited in the queue is spread in the same way.",
    ),
    "no limit; to Google's hosts 60/1m for mail that has waited in the queue, because Google blocks an account that gets more",
  ),
  dkim: withDefault(
    dkimKeys(
      "Keys that sign the mail that people submit to the relay with DKIM, if the domain of the From address has a key. A message gets one signature for each domain. Mail that came in any other way is not signed. `relayctl dkim new` makes a key.",
    ),
    [],
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
      "is missing (list of next hops): the password is sent only to hosts of this list",
    );
  }
  if (tls === "none" && least !== "none") {
    report("tls", `cannot be "none": auth_tls is "${least}", to protect the password`);
  }
});

const STRICTNESS = ["none", "opportunistic", "required", "verify"] as const;

/** Returns the strictest of `tls`, the TLS that the password needs, and the TLS of the protocol. */
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
 * - failed: 5xx to its RCPT, or to MAIL, DATA or the end of the message. No other host is asked.
 * - failed: the host does not take such a message, because it is 8-bit (5.6.3, with `eight_bit = "bounce"`), has UTF-8
 *   addresses or headers (5.6.7) or is too big (5.3.4). No other host is asked.
 * - failed, 5.7.30: the message requires TLS, and every host lacks STARTTLS, REQUIRETLS, a valid certificate, or a name
 *   for which DNSSEC, MTA-STS or the configuration vouches.
 * - deferred, message, with an alarm: instead of such a 5xx, one of `hosts` requires a login (530, 534, 535, 538).
 * - deferred, recipient: 4xx to its RCPT, or no answer to it. After 421, or no answer, the next host is asked first.
 * - deferred, message: 4xx to MAIL, DATA or the end of the message; the connection was lost after the final dot;
 *   the relay's copy cannot be read. No other host is asked, except after 421.
 * - deferred, host: no host is configured, or every host that was tried has failed. It has no address, refused or lost
 *   the connection, timed out, broke the protocol, greeted with anything but 2xx, or failed at EHLO, TLS or AUTH (5xx
 *   with an alarm). `notBefore` is the earliest retry time of these hosts.
 * - deferred, host, 4.7.5: the host's certificate does not match its TLSA records, these cannot be looked up, or the
 *   domain's MTA-STS policy excludes the host.
 * - deferred, untried: `rate` or `recipient_rate` is used up; the recipient has been put off; the retry time of
 *   every host has not come, or too many deliveries wait for it already; no connection came free in time.
 * - deferred, not passed, only for a message that is still coming in: the connection was lost before the end was sent;
 *   the host deferred it in its middle or answered with 421; the message must be complete for this host, or to be sent
 *   a second time, or to be signed; the host has only one free connection, or failed the last time. No other host is asked.
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
    const signer = new SubmissionSigner(given.dkim, services);
    return {
      locality: "remote",
      hosts: given.hosts ?? given.fallback_hosts ?? [],
      batchKey: ({ mailbox }) => mailbox.domain,
      async deliver(batch, signal) {
        const isComing = batch.body.unread !== undefined;
        if (isComing && signer.wants(batch)) return notWhole(batch);
        return deliverBatch(context, await signer.signed(batch), signal);
      },
      reach: (host, signal) => reachHost(context, host, signal),
      tlsRule: (host) => tlsRuleOf(context, host),
      close: () => context.pool.close(),
    };
  },
};
