// What a client is told about one recipient. The session and the dry run of `relayctl check` both ask here, so they
// cannot disagree; about the content both ask content/content.ts.

import { given } from "../base/given.ts";
import type { Client, Mailbox } from "../mail/envelope.ts";
import type { Gate, Verdict } from "./gate/gate.ts";
import {
  type Route,
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
  /** What is known of it by now, if the gate alone cannot tell. */
  readonly relayed?: boolean;
  /** As in RouteRequest; of those that came in the same way. */
  readonly stepsFor?: (relayed: boolean) => Steps;
  /** As in RouteRequest. */
  readonly trace?: TraceStep[];
}

export interface RecipientVerdict {
  /** The reply to RCPT. */
  readonly reply: Status;
  readonly gate: Verdict;
  /** Why the routers have not taken it, as they said; for the log. */
  readonly why?: string;
  /** Absent when the gate did not accept: the routers are not asked then. */
  readonly routing?: Routing;
}

export const ACCEPTED = status(250, "1.5", "Recipient ok");

/** The gate, then the router chain in earnest. Whatever has to be shown at the end of DATA counts as shown. */
export async function judgeRecipient(
  { client, sender, recipient, stepsFor, trace, ...known }: RecipientQuestion,
  { gate, route }: Judges,
): Promise<RecipientVerdict> {
  const verdict = await gate.judge(client, sender, recipient);
  if (verdict.kind !== "accept") return { reply: verdict.reply, gate: verdict };
  const { relayed = verdict.relayed === true } = known;
  const { relayedWhy = "" } = verdict;
  const request = {
    sender,
    client,
    verify: true,
    relayed,
    relayedWhy,
    ...given({ steps: stepsFor?.(relayed), trace }),
  };
  const routing = await route(recipient, request);
  const refused = refusalOf(routing);
  const reply = refused?.status ?? ACCEPTED;
  const { why } = refused ?? {};
  return { reply, gate: verdict, routing, ...given({ why }) };
}

interface StrangersQuestion extends Omit<RecipientQuestion, "recipient"> {
  readonly recipients: readonly Mailbox[];
}

/** What RCPT would have said if it had been known that the message is not relayed; undefined when it is accepted. */
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
 * Trouble of our own is a 4xx; trouble in somebody else's DNS is not the client's. A copy is nobody's business. Of an
 * alias whose mail reaches one of its members the client hears nothing of those who are gone, as with Exim: mail for the
 * others goes on, and the postmaster hears of them.
 */
function refusalOf({ deliveries, ...routing }: Routing): RouteTrouble | undefined {
  const troubles = routing.troubles.filter(({ unseen }) => !unseen);
  const failed = troubles.find(({ kind }) => kind === "failed");
  if (failed !== undefined && deliveries.every(({ unseen }) => unseen)) return failed;
  const deferred = troubles.filter(({ kind }) => kind === "deferred");
  return deferred.find(({ status: reply }) => !isForeign(reply));
}

/** RFC 3463 X.4.x: network and routing, so the other side's DNS rather than a lookup of ours. A loop is ours. */
function isForeign({ enhanced }: Status): boolean {
  return enhanced.startsWith("4.4.") && enhanced !== "4.4.6";
}
