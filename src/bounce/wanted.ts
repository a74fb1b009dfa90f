// Decides whether the sender gets a report. Invariant: a message with the null sender never causes a report, so two
// mail systems cannot keep each other busy (RFC 5321 4.5.5). The relay sends no report that the sender declined by NOTIFY
// (RFC 3461 4.1).

import type { Mailbox } from "../mail/envelope.ts";
import { headerValue } from "./original.ts";

/**
 * The last two are for NOTIFY=SUCCESS: "relayed" is passed on to a host that does not report by itself
 * (RFC 3461 5.2.2), "delivered" is at its destination (RFC 3461 5.2.3).
 */
export type ReportKind = "failed" | "delayed" | "relayed" | "delivered";

const NOTIFY_WORD: Readonly<Record<ReportKind, string>> = {
  failed: "FAILURE",
  delayed: "DELAY",
  relayed: "SUCCESS",
  delivered: "SUCCESS",
};

/** `notify` is the NOTIFY of the recipient. Without it, the sender gets reports on failures and delays. */
export function wantsReport(
  kind: ReportKind,
  sender: Mailbox | null,
  notify: string | undefined,
): boolean {
  if (sender === null) return false;
  return notifyWords(notify).includes(NOTIFY_WORD[kind]);
}

/**
 * Exim's delay_warning_condition: false for mail of lists and machines, which cannot use a warning.
 * `content` is the message, or its header.
 */
export function wantsWarning(content: Buffer): boolean {
  const value = (name: string) => headerValue(content, name) ?? "";
  const isList = ["list-id", "list-post", "list-subscribe"].some((name) => value(name) !== "");
  return (
    !isList &&
    !/bulk|list|junk/i.test(value("precedence")) &&
    !/auto-generated|auto-replied/i.test(value("auto-submitted"))
  );
}

/** The NOTIFY for two recipients that turn out to be one: every report that either asks for. */
export function notifyOfBoth(
  one: string | undefined,
  other: string | undefined,
): string | undefined {
  if (one === other) return one;
  const words = new Set([...notifyWords(one), ...notifyWords(other)]);
  return words.size === 0 ? "NEVER" : [...words].join(",");
}

function notifyWords(notify: string | undefined): readonly string[] {
  if (notify === undefined) return ["FAILURE", "DELAY"];
  const words = notify.toUpperCase();
  return words === "NEVER" ? [] : words.split(",");
}
