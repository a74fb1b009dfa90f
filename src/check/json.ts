// The result of a dry run for programs: one object, described in docs/cli.md.

import { given } from "../base/given.ts";
import type { CheckedRecipient, CheckReport } from "./check.ts";
import type { Verdict } from "../receive/gate/gate.ts";
import { ACCEPTED } from "../receive/judge-recipient.ts";
import { type Status, statusLine } from "../mail/status.ts";
import { hostText } from "./hosts.ts";

export function reportJson(report: CheckReport): object {
  const { recipients, message } = report;
  return {
    gate: summary(recipients),
    recipients: recipients.map((recipient) => recipientObject(recipient, message)),
    ...given({ message: message && replyObject(message) }),
  };
}

function gateObject(verdict: Verdict) {
  const reply = verdict.kind === "accept" ? ACCEPTED : verdict.reply;
  return { verdict: verdict.kind, reply: statusLine(reply), rule: verdict.rule };
}

/** "accept" if at least one recipient is accepted, "refuse" only if all recipients are refused. */
function summary(recipients: readonly CheckedRecipient[]) {
  const verdicts = recipients.map(({ gate }) => gate);
  const decisive =
    verdicts.find(({ kind }) => kind === "accept") ??
    verdicts.find(({ kind }) => kind === "defer") ??
    verdicts[0];
  return decisive === undefined ? undefined : gateObject(decisive);
}

/** `reply` is the deciding one for the recipient: to RCPT, or after the dot. */
function recipientObject(recipient: CheckedRecipient, message: Status | undefined) {
  const { address, outcome, gate, deliveries, trace } = recipient;
  const refusedLater = recipient.reply.code < 300 && message !== undefined && message.code >= 300;
  return {
    address,
    gate: gateObject(gate),
    outcome,
    reply: statusLine(refusedLater ? message : recipient.reply),
    deliveries: deliveries.map(({ router, transport, unseen, path, nextHops, tls }) => ({
      router,
      transport,
      unseen,
      ...given({ path, hosts: nextHops?.map(hostText), tls }),
    })),
    trace: trace.map(({ router, result, why }) => ({ router, result, why })),
  };
}

function replyObject(reply: Status) {
  return { verdict: verdictOf(reply), reply: statusLine(reply) };
}

function verdictOf({ code }: Status): Verdict["kind"] {
  if (code < 300) return "accept";
  return code < 500 ? "defer" : "refuse";
}
