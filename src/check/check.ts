// The dry run: what would become of a message, asked of the very gate, chain, transports and header rules that a
// session asks. Knows how to ask, and nothing of how an answer looks: src/check/ prints it.
//
// Invariant: nothing on disk is touched, and nobody is spoken to but the DNS and the policy hosts of MTA-STS.
//
// Doors: aliases.ts, json.ts, postmaster.ts, text.ts.

import { given } from "../base/given.ts";
import { type JudgedMessage, judgeMessage, type MessageQuestion } from "./message.ts";
import type { Recipient, TlsRule, Transport } from "../contract/contract.ts";
import { groupByBatch } from "../deliver/batches.ts";
import type { Client, Mailbox } from "../mail/envelope.ts";
import type { Proof, Verdict } from "../receive/gate/gate.ts";
import type { Log } from "../observe/log.ts";
import type { Inspected } from "../receive/content/content.ts";
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
  /** As they were written, right or wrong. */
  readonly recipients: readonly string[];
  /** Whose postmaster the bare "postmaster" is. */
  readonly postmasterDomain?: string;
  /** The message itself, when it is to be judged too. */
  readonly message?: MessageQuestion;
}

export interface CheckedDelivery extends RoutedDelivery {
  /** Where a copy would go. */
  readonly path?: string;
  /** Where mail would go: the router's hosts, or the transport's own. Without any it would wait for ever. */
  readonly nextHops?: readonly Host[];
  /** How each of them would be spoken to. */
  readonly tls?: readonly CheckedTls[];
  /** The account gives no safe path: the copy would be frozen. */
  readonly unsafe: boolean;
}

export interface CheckedTls extends TlsRule {
  readonly host: string;
}

export interface CheckedRecipient {
  /** As it was written. */
  readonly address: string;
  readonly outcome: "routed" | "failed" | "deferred" | "discarded";
  readonly gate: Verdict;
  /** What RCPT is answered. */
  readonly reply: Status;
  readonly deliveries: readonly CheckedDelivery[];
  readonly troubles: readonly RouteTrouble[];
  readonly discarded: Routing["discarded"];
  readonly trace: readonly TraceStep[];
}

/** What one call of a transport would carry. */
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
  /** What the message would have to show at the end of DATA, or it is refused. */
  readonly proofs: readonly Proof[];
  /** What it would have to show, or it is not relayed. */
  readonly claims: readonly Proof[];
  /** The reply at the end of DATA; absent when there is no message, or nobody to take it. */
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
  // Without what it has to show, the message is a stranger's: the chain may have another word for it.
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

/** One after the other, as in a session: what a lookup gives the first, it gives the second from memory. */
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

/** Undefined when there is no message, or nobody to take it. */
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
    proofs: proofsOf(accepted, "proof"),
    claims: proofsOf(accepted, "claim"),
    secrets: [],
    isLocal: verdicts.some(({ rule }) => rule === "local_domains"),
    isRelayed: gate.isRelayHost(client.address),
  };
}

/** What the message has to show for these recipients, to be accepted (`proof`) or to count as relayed (`claim`). */
function proofsOf(
  accepted: readonly CheckedRecipient[],
  kind: "proof" | "claim",
): readonly Proof[] {
  const proofs = accepted.flatMap(({ gate }) => (gate.kind === "accept" && gate[kind]) || []);
  return [...new Set(proofs)];
}

/** The message was refused or put off after the dot: for everybody. */
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
  return { ...conclude(recipient.address, verdict, deliveries), trace };
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

/** Undefined for a transport that knows no TLS. */
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

/** The batches that an attempt would make of all deliveries together, local ones first. */
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
