// A table of replies of some hosts, and how the relay treats them. The built-in rows are for Google; rows of the
// configuration come before them. If no row matches, the retry rules decide.

import type { Status } from "../mail/status.ts";
import {
  knownRules,
  matchRetryRule,
  type RetryConfig,
  type RetryRule,
  type RetrySubject,
} from "./retry.ts";

export interface ReplyRule {
  /** Host names: "mx.example.net", or "*.example.net" with everything below. */
  readonly hosts: readonly string[];
  /** "450", "450 4.2.1", or "421 4.7.0 not in whitelist": code, enhanced code, words of the text. */
  readonly reply: string;
  /** When to try again, in place of the [[retry]] rules. */
  readonly rules?: readonly RetryRule[] | undefined;
  /** The mail that a reply to RCPT defers: this message only (the default), or all mail for the recipient. */
  readonly hold?: "message" | "recipient" | undefined;
  /** The text of an alarm in the log: what the postmaster must do. */
  readonly alarm?: string | undefined;
}

/** The rules that decide when a delivery is tried again. */
export interface RetryPolicy {
  readonly retry: readonly RetryConfig[];
  readonly replies: readonly ReplyRule[];
  /** 0 to 1; Math.random unless a test says otherwise. */
  readonly random?: () => number;
}

const GOOGLE = ["*.google.com", "*.googlemail.com"];

const SLOW_DOWN = knownRules("G,8d,1h,2");
const UNSOLICITED =
  "Google sees an unusual rate of unsolicited mail from this relay: look what passes through it";
const UNAUTHENTICATED =
  "Google refuses mail as unauthenticated: is this relay in its inbound gateway list?";

/** Google's replies to a gateway, from its own list of SMTP errors. */
export const BUILT_IN_REPLY_RULES: readonly ReplyRule[] = [
  // The account gets mail too fast: all mail for this account waits, and no other mail.
  {
    hosts: GOOGLE,
    reply: "450 4.2.1",
    rules: knownRules("G,2h,5m,1.5; F,8d,30m"),
    hold: "recipient",
  },
  // The mailbox is full until its owner empties it. The copy is safe.
  { hosts: GOOGLE, reply: "452 4.2.2", rules: knownRules("F,8d,4h") },
  {
    hosts: GOOGLE,
    reply: "421 4.7.0 whitelist",
    alarm:
      "Google takes mail for this domain only from listed gateways: add this relay's address to the inbound gateway",
  },
  {
    hosts: GOOGLE,
    reply: "421 4.7.0 TLS",
    alarm: 'Google takes mail for this domain only over TLS: set tls = "required" in its transport',
  },
  { hosts: GOOGLE, reply: "421 4.7.0 unsolicited", rules: SLOW_DOWN, alarm: UNSOLICITED },
  { hosts: GOOGLE, reply: "421 4.7.28", rules: SLOW_DOWN, alarm: UNSOLICITED },
  { hosts: GOOGLE, reply: "550 5.7.28", alarm: UNSOLICITED },
  { hosts: GOOGLE, reply: "550 5.7.26", alarm: UNAUTHENTICATED },
];

/** The first row that matches; none matches a 2xx reply. `host` is the name of the host that replied. */
export function findReplyRule(
  table: readonly ReplyRule[],
  host: string,
  status: Status,
): ReplyRule | undefined {
  if (status.code < 400) return undefined;
  const name = host.toLowerCase();
  return table.find(
    ({ hosts, reply }) => hosts.some((one) => fits(one, name)) && says(status, reply),
  );
}

function fits(written: string, name: string): boolean {
  const pattern = written.toLowerCase();
  return pattern.startsWith("*.") ? name.endsWith(pattern.slice(1)) : name === pattern;
}

function says({ code, enhanced, text }: Status, reply: string): boolean {
  const [, wantedCode, wantedEnhanced, words] =
    /^(\d{3})(?: (\d\.\d{1,3}\.\d{1,3}))?(?: (.+))?$/.exec(reply) ?? [];
  if (Number(wantedCode) !== code) return false;
  if (wantedEnhanced !== undefined && wantedEnhanced !== enhanced) return false;
  return words === undefined || text.toLowerCase().includes(words.toLowerCase());
}

/** The rules after this failure: those of the matching row if it has any, else the retry rules. */
export function rulesAfter(
  status: Status,
  subject: RetrySubject,
  { retry, replies }: RetryPolicy,
): readonly RetryRule[] {
  const row = subject.host === undefined ? undefined : findReplyRule(replies, subject.host, status);
  return row?.rules ?? matchRetryRule(retry, subject);
}
