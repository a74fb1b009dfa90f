// The dry run: the outcome of a message, from the same gate, chain, transports and header rules that a session uses.
// This file asks the questions. The other files of src/check/ print the answers.
//
// Invariant: nothing on disk is changed. The only hosts contacted are DNS servers and the policy hosts of MTA-STS.
//
// Doors: aliases.ts, json.ts, postmaster.ts, text.ts.

import { given } from "../base/given.ts";
import { type JudgedMessage, judgeMessage, type MessageQuestion } from "./message.ts";
import type { Recipient, TlsRule, Transport } from "../contract/contract.ts";
import { groupByBatch } from "../deliver/batches.ts";
import type { Client, Mailbox } from "../mail/envelope.ts";
import type { Proof, Verdict } from "../receive/gate/gate.ts";
import type { Log } from "../observe/log.ts";
import type { Inspected } from "../receive/content/inspected.ts";
import { judgeRecipient, type RecipientVerdict } from "../receive/judge-recipient.ts";
import type { Chain, RelayMeans } from "../run/assemble.ts";
import type { RoutedDelivery, Routing, RouteTrouble, TraceStep } from "../route/route.ts";
import { parseRcpt } from "../smtp/server/command.ts";
import type { Status } from "../mail/status.ts";
import type { Host } from "../mail/host.ts";

export interface CheckRequest {
  readonly client: Client;
  /** null is <>. */
  readonly sender: Mailbox | null;
  /** As they were written, valid or not. */
  readonly recipients: readonly string[];
  /** The domain that completes the bare address "postmaster". */
  readonly postmasterDomain?: string;
  /** The message itself, if it is to be judged too. */
  readonly message?: MessageQuestion;
}

export interface CheckedDelivery extends RoutedDelivery {
  /** The path that a copy would be written to. */
  readonly path?: string;
  /**
   * The hosts that mail would be sent to: the router's, or the transport's own. With an empty list, the mail would wait
   * for ever.
   */
  readonly nextHops?: readonly Host[];
  /** The TLS rule for each next hop. */
  readonly tls?: readonly CheckedTls[];
  /** The account does not give a safe path, so the copy would be frozen. */
  readonly unsafe: boolean;
}

export interface CheckedTls extends TlsRule {
  readonly host: string;
}

export interface CheckedRecipient {
  /** As it was written. */
  readonly address: string;
  /** Absent when that is no address. */
  readonly mailbox?: Mailbox;
  readonly outcome: "routed" | "failed" | "deferred" | "discarded";
  readonly gate: Verdict;
  /** The reply to RCPT. */
  readonly reply: Status;
  readonly deliveries: readonly CheckedDelivery[];
  readonly troubles: readonly RouteTrouble[];
  readonly discarded: Routing["discarded"];
  readonly trace: readonly TraceStep[];
}

/** The content of one call of a transport. */
export interface CheckedBatch {
  readonly transport: string;
  readonly unseen: boolean;
  readonly path?: string;
  readonly nextHops?: readonly Host[];
  readonly recipients: readonly string[];
}

export interface CheckReport {
  readonly client: Client;
  readonly sender: Mailbox | null;
  readonly recipients: readonly CheckedRecipient[];
  readonly batches: readonly CheckedBatch[];
  /** Proofs that the message must have at the end of DATA to be accepted. */
  readonly proofs: readonly Proof[];
  /** Proofs that the message must have to count as relayed. */
  readonly claims: readonly Proof[];
  /** The reply at the end of DATA. Absent without a message, or without an accepted recipient. */
  readonly message?: Status;
}

export async function check(
  request: CheckRequest,
  chain: Chain,
  parts: RelayMeans,
): Promise<CheckReport> {
  const asked = await recipientsOf(request, chain);
  const accepted = asked.filter(isAccepted);
  const { client, sender } = request;
  const read = await judgeContent(request, accepted, chain, parts);
  // Without the proof, the message counts as not relayed, and the chain may decide differently.
  const recipients =
    read?.shown === false ? await recipientsOf(request, chain, { relayed: false }) : asked;
  const unrouted = recipients.find((one, index) => {
    const before = asked[index];
    return before !== undefined && isAccepted(before) && !isAccepted(one);
  });
  const answer = unrouted?.reply ?? read?.reply;
  const refused = answer !== undefined && answer.code >= 300;
  return {
    client,
    sender,
    recipients: refused ? asked.map((one) => withoutMessage(one, answer)) : recipients,
    proofs: proofsOf(accepted, "proof"),
    claims: proofsOf(accepted, "claim"),
    batches: refused ? [] : batchesOf(recipients.filter(isAccepted), chain, parts.log),
    ...given({ message: answer }),
  };
}

function isAccepted({ reply }: CheckedRecipient): boolean {
  return reply.code < 300;
}

/** Checks one recipient after the other, as a session does. So a second look-up is answered from memory. */
async function recipientsOf(
  request: CheckRequest,
  chain: Chain,
  known: { readonly relayed?: boolean } = {},
): Promise<readonly CheckedRecipient[]> {
  const recipients: CheckedRecipient[] = [];
  for (const written of request.recipients) {
    recipients.push(await checkRecipient(written, { ...request, ...known }, chain));
  }
  return recipients;
}

/** Undefined without a message, or without an accepted recipient. */
function judgeContent(
  request: CheckRequest,
  accepted: readonly CheckedRecipient[],
  chain: Chain,
  parts: RelayMeans,
): Promise<JudgedMessage> | undefined {
  const { message } = request;
  if (message === undefined || accepted.length === 0) return undefined;
  return judgeMessage(message, inspectedOf(request, accepted, chain), { ...chain, ...parts });
}

function inspectedOf(
  { client, sender }: CheckRequest,
  accepted: readonly CheckedRecipient[],
  { gate }: Chain,
): Inspected {
  const verdicts = accepted.map((recipient) => recipient.gate);
  return {
    client,
    sender,
    recipients: accepted.flatMap(({ mailbox }) => mailbox ?? []),
    proofs: proofsOf(accepted, "proof"),
    claims: proofsOf(accepted, "claim"),
    secrets: [],
    isLocal: verdicts.some(({ rule }) => rule === "local_domains"),
    isRelayed: gate.isRelayHost(client.address),
  };
}

/**
 * Proofs that the message must have for these recipients, to be accepted (`proof`) or to count as relayed (`claim`).
 */
function proofsOf(
  accepted: readonly CheckedRecipient[],
  kind: "proof" | "claim",
): readonly Proof[] {
  const proofs = accepted.flatMap(({ gate }) => (gate.kind === "accept" && gate[kind]) || []);
  return [...new Set(proofs)];
}

/** The message was refused or deferred after the dot, for all recipients. */
function withoutMessage(recipient: CheckedRecipient, answer: Status): CheckedRecipient {
  const outcome = answer.code >= 500 ? "failed" : "deferred";
  return recipient.reply.code >= 300 ? recipient : { ...recipient, outcome, deliveries: [] };
}

async function checkRecipient(
  written: string,
  { client, sender, postmasterDomain, ...known }: CheckRequest & { readonly relayed?: boolean },
  chain: Chain,
): Promise<CheckedRecipient> {
  const path = written.startsWith("<") ? written : `<${written}>`;
  const parsed = parseRcpt(`TO:${path}`, true, postmasterDomain);
  if ("refused" in parsed) {
    const reply = parsed.refused;
    const why = "this is no address";
    return conclude(written, { reply, gate: { kind: "refuse", rule: "syntax", why, reply } }, []);
  }
  const trace: TraceStep[] = [];
  const recipient = parsed.ok.mailbox;
  const relayed = given({ relayed: known.relayed });
  const question = { client, sender, recipient, trace, ...relayed };
  const verdict = await judgeRecipient(question, chain);
  const { routing } = verdict;
  const accepted = verdict.reply.code < 300 && routing !== undefined;
  const routed = accepted ? routing.deliveries : [];
  const deliveries = await Promise.all(routed.map((one) => destined(one, chain)));
  return { ...conclude(recipient.address, verdict, deliveries), mailbox: recipient, trace };
}

function conclude(
  address: string,
  { gate, reply, routing }: RecipientVerdict,
  deliveries: readonly CheckedDelivery[],
): CheckedRecipient {
  const troubles = routing?.troubles ?? [];
  const discarded = routing?.discarded ?? [];
  const waits =
    troubles.some(({ kind }) => kind === "deferred") ||
    deliveries.some(({ unsafe, nextHops }) => unsafe || nextHops?.length === 0);
  const outcome = (() => {
    if (reply.code >= 500) return "failed";
    if (reply.code >= 400 || waits) return "deferred";
    return deliveries.length === 0 && discarded.length > 0 ? "discarded" : "routed";
  })();
  return { address, outcome, gate, reply, deliveries, troubles, discarded, trace: [] };
}

async function destined(delivery: RoutedDelivery, { transports }: Chain): Promise<CheckedDelivery> {
  const transport = transports.get(delivery.transport);
  const { mailbox, original, account } = delivery;
  const recipient: Recipient = { id: "", mailbox, original, account };
  const path = transport?.destination?.(recipient);
  const nextHops = delivery.hosts ?? transport?.hosts;
  const tls = transport && nextHops && (await tlsRules(transport, nextHops));
  return {
    ...delivery,
    unsafe: transport?.destination !== undefined && path === undefined,
    ...given({ path, nextHops, tls }),
  };
}

/** Undefined for a transport without TLS. */
async function tlsRules(
  transport: Transport,
  hosts: readonly Host[],
): Promise<CheckedTls[] | undefined> {
  const rules = await Promise.all(
    hosts.map(async (host) => {
      const rule = await transport.tlsRule?.(host);
      return rule === undefined ? [] : [{ host: host.name, ...rule }];
    }),
  );
  return rules.every(({ length }) => length === 0) ? undefined : rules.flat();
}

/** The batches that one attempt would make of all deliveries, local ones first. */
function batchesOf(
  recipients: readonly CheckedRecipient[],
  { transports }: Chain,
  log: Log,
): CheckedBatch[] {
  const deliveries = recipients.flatMap(({ deliveries: own }, position) =>
    own.filter(({ unsafe }) => !unsafe).map((delivery) => ({ ...delivery, position })),
  );
  const groups = groupByBatch(deliveries, { transports, log }, () => undefined);
  const inOrder = [
    ...groups.filter(({ transport }) => transport.locality === "local"),
    ...groups.filter(({ transport }) => transport.locality === "remote"),
  ];
  return inOrder.map(({ transport, first, members }) => {
    const together = Array.from(members.values(), ({ recipient }) => recipient);
    const path = together[0] && transport.destination?.(together[0]);
    const nextHops = first.hosts ?? transport.hosts;
    return {
      transport: first.transport,
      unseen: first.unseen,
      recipients: together.map(({ mailbox }) => mailbox.address),
      ...given({ path, nextHops }),
    };
  });
}
