// From what a host said to what becomes of each recipient. The scopes are Postfix's and Exim's: RCPT speaks of a
// recipient; MAIL, DATA and the final dot of the message; everything before and around them of the host. That holds for
// 421 too, with the difference that another host may be asked at once.

import { given } from "../../src/base/given.ts";
import type { Outcome, Recipient } from "../../src/contract/contract.ts";
import type { RecipientId } from "../../src/mail/envelope.ts";
import type { Place } from "../../src/mail/place.ts";
import type { TransactionResult } from "../../src/smtp/client/client.ts";
import { asTemporary } from "../../src/smtp/client/transaction.ts";
import { isTemporary, saidLine, status, type Status } from "../../src/mail/status.ts";

/** Adds an outcome for each recipient that is settled; returns those that are to be asked about again. */
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

/** Returns what ends the delivery for one recipient alone: its refusal, or its own reply to the dot. */
function ownAnswer(
  answer: Status | undefined,
  delivery: Status | undefined,
  moreLater: boolean,
): Status | "again" | undefined {
  if (answer !== undefined && moreLater && isTooMany(answer)) return "again";
  const own = answer !== undefined && answer.code >= 400 ? answer : delivery;
  return own?.code === 421 ? "again" : own;
}

/** Returns what ends the delivery for all others; undefined when nothing was said of the message, or 421. */
function sharedOutcome(result: TransactionResult, place: Place): Outcome | undefined {
  const { message, failure, dsn } = result;
  if (message?.code === 421) return undefined;
  if (message === undefined) {
    return failure?.scope === "message" ? outcomeOf(failure.status, "message", place) : undefined;
  }
  const outcome = passedOn(outcomeOf(message, "message", place), dsn);
  return result.notPassed ? notPassed(outcome) : outcome;
}

/** The transaction was good for some recipients: the host may take more in another one. */
function takesMoreLater({ message, deliveries }: TransactionResult): boolean {
  return deliveries.length > 0 || (message !== undefined && message.code < 300);
}

function overTls(outcome: Outcome, tls: string | undefined): Outcome {
  return tls === undefined || outcome.kind !== "delivered" ? outcome : { ...outcome, tls };
}

/** RFC 4954 6, RFC 3207 4: TLS or another way to log in must come first. Nothing is wrong with the mail. */
const ACCESS: ReadonlySet<number> = new Set([530, 534, 535, 538]);

/** The answer by which the host has said so, if any. */
export function accessRefusal({ message, recipients }: TransactionResult): Status | undefined {
  return [message, ...recipients].find((one) => one !== undefined && ACCESS.has(one.code));
}

/** The same answers, with a temporary one in the place of each of these. */
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

/** A host that offers DSN was given NOTIFY with the recipient: reports are its own affair (RFC 3461 5.2.1). */
function passedOn(outcome: Outcome, dsn: boolean): Outcome {
  return dsn && outcome.kind === "delivered" ? { ...outcome, dsnPassedOn: true } : outcome;
}

/** Who answers for each recipient has delivered, and not only taken it on (RFC 2033 1). */
function arrived(outcome: Outcome, dsn: boolean): Outcome {
  return outcome.kind === "delivered" && !dsn
    ? { ...outcome, final: true }
    : passedOn(outcome, dsn);
}

/** A refusal is one however much of the message has come. */
export function notPassed(outcome: Outcome): Outcome {
  return outcome.kind === "deferred" ? { ...outcome, notPassed: true } : outcome;
}

export function outcomeOf(
  why: Status,
  scope: "recipient" | "message" | "host",
  place: Place | undefined,
): Outcome {
  const speaker = given({ place });
  if (isTemporary(why)) return { kind: "deferred", status: why, scope, ...speaker };
  return { kind: why.code < 300 ? "delivered" : "failed", status: why, ...speaker };
}

/**
 * 552 was once the code for too many recipients, and a client should take it so (RFC 5321 4.5.3.1.10): behind a
 * recipient that was accepted, with the enhanced code of that or with none. Alone it means what it says.
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
 * The host takes no more recipients in this transaction, and has taken some (RFC 5321 4.5.3.1.10). A 452 without
 * an enhanced code means the same; others speak of a full mailbox or disk.
 */
function isTooMany({ code, enhanced }: Status): boolean {
  return code === 452 && (enhanced === "4.5.3" || enhanced === "4.0.0");
}
