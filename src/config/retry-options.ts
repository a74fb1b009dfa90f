// [[retry]] and [[replies]]: when a deferred delivery is tried again, and what particular replies mean.

import { parseRetryRules } from "../retry.ts";
import { declared, list, oneOf, optional, options, text, withDefault } from "./schema.ts";
import type { Values } from "./schema.ts";

const retryRules = declared(
  "retry rules",
  {
    doc: "Rules separated by `;`. `F,2h,15m`: for 2 hours every 15 minutes. `G,16h,1h,1.5`: until 16 hours have passed, first after an hour, then each time 1.5 times as long. `H` is `G` with a random part. When the last one is over, the mail bounces.",
  },
  (value) => {
    if (typeof value !== "string") return { wrong: 'must be a text like "F,2h,15m; G,16h,1h,1.5"' };
    const parsed = parseRetryRules(value);
    return "problem" in parsed ? { wrong: parsed.problem } : { ok: parsed.rules };
  },
);

const ERRORS =
  /^(?:timeout|refused|lost_connection|tls_required|auth_failed|lookup|quota|(?:rcpt|data)_4[\dx]{2})$/;

export const retryOptions = options({
  match: withDefault(
    text(
      "The domain, `*.domain`, `user@domain` or host that the rules are for; `*` is every one.",
      {
        test: /^[^\s,;]+$/,
        is: "one domain, address or host",
      },
    ),
    "*",
  ),
  errors: optional(
    list(
      "The errors that the rules are for: `timeout`, `refused`, `lost_connection`, `tls_required`, `auth_failed`, " +
        "`lookup`, `quota`, `rcpt_4xx` (a reply to RCPT) or `data_4xx` (a reply about the message), an `x` for any digit.",
      (item) => (ERRORS.test(item) ? undefined : 'is no error; write "timeout" or "rcpt_452"'),
    ),
    "all",
  ),
  rules: retryRules,
});

const HOST_PATTERN = /^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i;

export const replyOptions = options({
  hosts: list("The hosts, by name; `*.example.net` is every host below that name.", (item) =>
    HOST_PATTERN.test(item) ? undefined : "is no host name",
  ),
  reply: text(
    "What the host says: a code, an enhanced code, words: `450`, `450 4.2.1`, `421 4.7.0 whitelist`.",
    {
      test: /^[245]\d\d(?: [245]\.\d{1,3}\.\d{1,3})?(?: \S.*)?$/,
      is: 'a reply like "450 4.2.1"',
    },
  ),
  rules: optional(retryRules, "those of [[retry]]"),
  hold: withDefault(
    oneOf(
      "Whom a reply to RCPT puts off: this message only, or all mail for the recipient through this relay.",
      ["message", "recipient"],
    ),
    "message",
  ),
  alarm: optional(
    text("What the postmaster has to do about it: logged as an alarm event."),
    "none",
  ),
});

export type RetryOptions = Values<typeof retryOptions>;
export type ReplyOptions = Values<typeof replyOptions>;
