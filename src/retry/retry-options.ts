// [[retry]] and [[replies]]: when a deferred delivery is tried again, and the rules for some replies.

import { isIP } from "node:net";
import { parseRetryRules } from "./retry.ts";
import { parseDomain, parseMailbox } from "../mail/address.ts";
import {
  declared,
  list,
  oneOf,
  optional,
  options,
  parsedText,
  text,
  withCheck,
  withDefault,
} from "../options/options.ts";
import type { Values } from "../options/options.ts";

const retryRules = declared(
  "retry rules",
  {
    doc: "Rules separated by `;`. `F,2h,15m`: for 2 hours every 15 minutes. `G,16h,1h,1.5`: until 16 hours have passed, first after an hour, then each interval 1.5 times the one before. `H` is `G` with a random part. When the last rule has ended, the mail bounces.",
  },
  (value) => {
    if (typeof value !== "string") return { wrong: 'must be a text like "F,2h,15m; G,16h,1h,1.5"' };
    const parsed = parseRetryRules(value);
    return "problem" in parsed ? { wrong: parsed.problem } : { ok: parsed.rules };
  },
);

const ERRORS =
  /^(?:timeout|refused|lost_connection|tls_required|auth_failed|lookup|quota|(?:rcpt|data)_4[\dx]{2})$/;

/** The value in the form in which domains, addresses and hosts are compared; undefined if it can match nothing. */
function parseMatch(written: string): string | undefined {
  if (written === "*" || isIP(written) > 0) return written;
  const mailbox = parseMailbox(written);
  if (mailbox !== undefined && !written.startsWith("*@"))
    return `${mailbox.localPart}@${mailbox.domain}`;
  const below = written.startsWith("*.") ? "*." : "";
  const domain = parseDomain(written.slice(below.length));
  return domain === undefined ? undefined : below + domain;
}

const declaredRetryOptions = options({
  match: withDefault(
    parsedText(
      "text",
      {
        doc: "The domain, `*.domain`, `user@domain` or host that the rules apply to; `*` matches all.",
        is: "one domain, address or host",
      },
      parseMatch,
    ),
    "*",
  ),
  errors: optional(
    list(
      "The errors that the rules apply to: `timeout`, `refused`, `lost_connection`, `tls_required`, `auth_failed`, " +
        "`lookup`, `quota`, `rcpt_4xx` (a reply to RCPT) or `data_4xx` (a reply about the message). `x` is any digit.",
      (item) => (ERRORS.test(item) ? undefined : 'is not an error; write "timeout" or "rcpt_452"'),
    ),
    "all",
  ),
  rules: retryRules,
});

export const retryOptions = withCheck(declaredRetryOptions, ({ errors }, report) => {
  if (errors?.length === 0) report("errors", "is empty: the rules would never apply");
});

const HOST_PATTERN = /^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i;

const declaredReplyOptions = options({
  hosts: list("The hosts, by name; `*.example.net` is every host below that name.", (item) =>
    HOST_PATTERN.test(item) ? undefined : "is not a host name",
  ),
  reply: text(
    "The reply of the host: a code, an enhanced code, words: `450`, `450 4.2.1`, `421 4.7.0 whitelist`.",
    {
      // Without the test, a code of another class, or half a code, would be read as words.
      test: /^([45])\d\d(?: \1\.\d{1,3}\.\d{1,3})?(?: (?!\d\.\d)\S(?:.*\S)?)?$/,
      is: 'a reply like "450 4.2.1"',
    },
  ),
  rules: optional(retryRules, "those of [[retry]]"),
  hold: withDefault(
    oneOf(
      "The mail that a reply to RCPT defers: this message only, or all mail for the recipient through this relay.",
      ["message", "recipient"],
    ),
    "message",
  ),
  alarm: optional(
    text("A text for the postmaster, logged as an alarm event: what to do about the reply."),
    "none",
  ),
});

export const replyOptions = withCheck(declaredReplyOptions, (row, report) => {
  const { hosts, reply, rules } = row;
  if (hosts.length === 0) report("hosts", "is empty: the row would never apply");
  if (rules !== undefined && reply.startsWith("5"))
    report("rules", "have no effect: mail is not tried again after a 5xx");
});

export type RetryOptions = Values<typeof retryOptions>;
export type ReplyOptions = Values<typeof replyOptions>;
