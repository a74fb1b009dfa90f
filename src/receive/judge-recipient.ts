// Decides the reply to one recipient. The session and the dry run of `relayctl check` both use it, so they cannot
// disagree. For the content both use content/content.ts.

import type { Draft } from "../base/given.ts";
import type { Client, Mailbox } from "../mail/envelope.ts";
import type { Gate, Verdict } from "./gate/gate.ts";
import {
  type Route,
  type RouteRequest,
  type RouteTrouble,
  type Routing,
  Steps,
  type TraceStep,
} from "../route/route.ts";
import { status, type Status } from "../mail/status.ts";

export interface Judges {
  readonly gate: Pick<Gate, "judge">;
  readonly route: Route;
}

export interface RecipientQuestion {
  readonly client: Client;
  /** null is <>. */
  readonly sender: Mailbox | null;
  readonly recipient: Mailbox;
  /** Whether the mail is relayed, if that is known better than the gate alone can tell. */
  readonly relayed?: boolean;
  /** As in RouteRequest; shared by the recipients of one transaction. */
  readonly stepsFor?: (relayed: boolean) => Steps;
  /** As in RouteRequest. */
  readonly trace?: TraceStep[];
}

export interface RecipientVerdict {
  /** The reply to RCPT. */
  readonly reply: Status;
  readonly gate: Verdict;
  /** The routers' reason for not taking it, for the log. */
  readonly why?: string;
  /** Absent if the gate did not accept: then the routers are not asked. */
  readonly routing?: Routing;
}

export const ACCEPTED = status(250, "1.5", "Recipient ok");

/** Asks the gate, and then the router chain. Proofs that the message must bring by the end of DATA count as present. */
export async function judgeRecipient(
  { client, sender, recipient, stepsFor, trace, ...known }: RecipientQuestion,
  { gate, route }: Judges,
): Promise<RecipientVerdict> {
  const verdict = await gate.judge(client, sender, recipient);
  if (verdict.kind !== "accept") return { reply: verdict.reply, gate: verdict };
  const { relayed = verdict.relayed === true } = known;
  const { relayedWhy = "" } = verdict;
  const request: Draft<RouteRequest> = { sender, client, verify: true, relayed, relayedWhy };
  const steps = stepsFor?.(relayed);
  if (steps !== undefined) request.steps = steps;
  if (trace !== undefined) request.trace = trace;
  const routing = await route(recipient, request);
  const refused = refusalOf(routing);
  const reply = refused?.status ?? ACCEPTED;
  const judged: Draft<RecipientVerdict> = { reply, gate: verdict, routing };
  if (refused?.why !== undefined) judged.why = refused.why;
  return judged;
}

interface StrangersQuestion extends Omit<RecipientQuestion, "recipient"> {
  readonly recipients: readonly Mailbox[];
}

/**
 * The refusal that RCPT would have given if it had known that the message is not relayed; undefined if it would have
 * accepted all recipients.
 */
export async function judgeAsStranger(
  { client, sender, recipients }: StrangersQuestion,
  { route }: Pick<Judges, "route">,
): Promise<Status | undefined> {
  const steps = new Steps();
  const request = { sender, client, verify: true, relayed: false, steps };
  for (const recipient of recipients) {
    const refused = refusalOf(await route(recipient, request));
    if (refused !== undefined) return refused.status;
  }
  return undefined;
}

/**
 * The trouble that refuses the recipient. A deferral refuses it only if the cause is ours, not the DNS of other
 * domains. Copies do not count. If an alias reaches at least one member, the client does not hear of members that
 * fail, as in Exim. The others get the mail, and the failures go on the postmaster's list.
 */
function refusalOf({ deliveries, ...routing }: Routing): RouteTrouble | undefined {
  const troubles = routing.troubles.filter(({ unseen }) => !unseen);
  const failed = troubles.find(({ kind }) => kind === "failed");
  if (failed !== undefined && deliveries.every(({ unseen }) => unseen)) return failed;
  const deferred = troubles.filter(({ kind }) => kind === "deferred");
  return deferred.find(({ status: reply }) => !isForeign(reply));
}

/**
 * Whether the trouble is outside of the relay. RFC 3463 X.4.x is network and routing, so the DNS of the other side. A
 * loop is ours.
 */
function isForeign({ enhanced }: Status): boolean {
  return enhanced.startsWith("4.4.") && enhanced !== "4.4.6";
}
