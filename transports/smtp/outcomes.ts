// The outcome of each recipient, from the answers of a host. The scopes are those of Postfix and Exim. An answer to
// RCPT is about the recipient. An answer to MAIL, DATA or the final dot is about the message. All else is about the
// host. The same holds for 421, except that another host may be asked at once.

import type { Draft } from "../../src/base/given.ts";
import type { Outcome, Recipient } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import type { Place } from "../../src/mail/place.ts";
import type { TransactionResult } from "../../src/smtp/client/client.ts";
import { asTemporary } from "../../src/smtp/client/transaction.ts";
import { isTemporary, saidLine, status, type Status } from "../../src/mail/status.ts";

/** Adds an outcome for each recipient that is settled. Returns the recipients that need another transaction. */
export function recordOutcomes(
  outcomes: Map<RecipientId, Outcome>,
  recipients: readonly Recipient[],
  result: TransactionResult,
  { place, tls }: { readonly place: Place; readonly tls: string | undefined },
): Recipient[] {
  const answers = withoutOldMeaning(result.recipients);
  const shared = sharedOutcome(result, place);
  return recipients.filter(({ id }, index) => {
    const own = ownAnswer(answers[index], result.deliveries[index], takesMoreLater(result));
    if (own === "again") return true;
    const outcome = own ? arrived(outcomeOf(own, "recipient", place), result.dsn) : shared;
    if (outcome !== undefined) outcomes.set(id, overTls(outcome, tls));
    return outcome === undefined;
  });
}

/** Returns the answer that settles one recipient alone: its refusal, or its own reply to the dot. */
function ownAnswer(
  answer: Status | undefined,
  delivery: Status | undefined,
  moreLater: boolean,
): Status | "again" | undefined {
  if (answer !== undefined && moreLater && isTooMany(answer)) return "again";
  const own = answer !== undefined && answer.code >= 400 ? answer : delivery;
  return own?.code === 421 ? "again" : own;
}

/** Returns the outcome of all other recipients. Undefined if the message got no answer, or 421. */
function sharedOutcome(result: TransactionResult, place: Place): Outcome | undefined {
  const { message, failure, dsn } = result;
  if (message?.code === 421) return undefined;
  if (message === undefined) {
    return failure?.scope === "message" ? outcomeOf(failure.status, "message", place) : undefined;
  }
  const outcome = passedOn(outcomeOf(message, "message", place), dsn);
  return result.notPassed ? notPassed(outcome) : outcome;
}

/** Whether the transaction succeeded for some recipients, so that the host may take more in another one. */
function takesMoreLater({ message, deliveries }: TransactionResult): boolean {
  return deliveries.length > 0 || (message !== undefined && message.code < 300);
}

function overTls(outcome: Outcome, tls: string | undefined): Outcome {
  return tls === undefined || outcome.kind !== "delivered" ? outcome : { ...outcome, tls };
}

/** RFC 4954 6, RFC 3207 4: the host wants TLS or another login first. The mail itself is not refused. */
const ACCESS: ReadonlySet<number> = new Set([530, 534, 535, 538]);

/** Returns the answer with which the host demands a login or TLS, or undefined. */
export function accessRefusal({ message, recipients }: TransactionResult): Status | undefined {
  return [message, ...recipients].find((one) => one !== undefined && ACCESS.has(one.code));
}

/** Returns the same result, with each such answer as a temporary one. */
export function withoutAccess(result: TransactionResult): TransactionResult {
  const { message, recipients, deliveries, failure, closed, answered, dsn } = result;
  return {
    message: message && softened(message),
    recipients: recipients.map((one) => one && softened(one)),
    deliveries,
    failure,
    closed,
    answered,
    dsn,
    notPassed: result.notPassed,
  };
}

function softened(answer: Status): Status {
  return ACCESS.has(answer.code) ? asTemporary(answer) : answer;
}

/** Marks a delivery to a host that offers DSN: it was given NOTIFY and writes the reports (RFC 3461 5.2.1). */
function passedOn(outcome: Outcome, dsn: boolean): Outcome {
  return dsn && outcome.kind === "delivered" ? { ...outcome, dsnPassedOn: true } : outcome;
}

/** Marks a delivery as final if the server answers for each recipient: it has delivered the message (RFC 2033 1). */
function arrived(outcome: Outcome, dsn: boolean): Outcome {
  return outcome.kind === "delivered" && !dsn
    ? { ...outcome, final: true }
    : passedOn(outcome, dsn);
}

/** Marks a deferral as not passed. A refusal stays one, however much of the message has come in. */
export function notPassed(outcome: Outcome): Outcome {
  return outcome.kind === "deferred" ? { ...outcome, notPassed: true } : outcome;
}

export function outcomeOf(
  why: Status,
  scope: "recipient" | "message" | "host",
  place: Place | undefined,
): Outcome {
  const outcome: Draft<Outcome> = isTemporary(why)
    ? { kind: "deferred", status: why, scope }
    : { kind: why.code < 300 ? "delivered" : "failed", status: why };
  if (place !== undefined) outcome.place = place;
  return outcome;
}

/**
 * 552 was once the code for too many recipients, and a client should still read it so (RFC 5321 4.5.3.1.10). That is
 * done after an accepted recipient, if the enhanced code is 5.5.3 or missing. Any other 552 keeps its present meaning.
 */
function withoutOldMeaning(
  answers: readonly (Status | undefined)[],
): readonly (Status | undefined)[] {
  if (!answers.some((one) => one?.code === 552)) return answers;
  const first = answers.findIndex((one) => one !== undefined && one.code < 300);
  return answers.map((one, index) => {
    const isOld = one?.code === 552 && (one.enhanced === "5.5.3" || one.bare === true);
    return isOld && first >= 0 && first < index ? status(452, "5.3", saidLine(one)) : one;
  });
}

/**
 * Whether the host takes no more recipients in this transaction (RFC 5321 4.5.3.1.10). A 452 without an enhanced code
 * means the same. Other codes are about a full mailbox or disk.
 */
function isTooMany({ code, enhanced }: Status): boolean {
  return code === 452 && (enhanced === "4.5.3" || enhanced === "4.0.0");
}
