// The gate decides which client may send mail from which sender to which recipient. It refuses everything that no rule
// allows.
//
// Invariants:
// - The first rule whose hosts contain the client decides. A list that is empty, broken or not yet resolved contains no
//   client, so an error closes the gate and never opens it.
// - A rule with a proof admits a recipient only provisionally: the message must bring the proof.
// - The secret never leaves the relay, whether the rule asked for it or not: anyone who learns it can pass for our tenant.
// - The relay believes a sender only if a relay rule lets it through, with its proof.
// - A user that has logged in may send to everybody. Submission has checked that the sender is the user's.
// - The hosts after us trust us, so a stranger's address must not contain a route that one of them may follow
//   (user%elsewhere@ours, elsewhere!user@ours).
//
// Doors: dnsbl.ts, gate-options.ts, relayed.ts.

import { given } from "../../base/given.ts";
import type { GateOptions } from "./gate-options.ts";
import type { Client, Mailbox } from "../../mail/envelope.ts";
import type { BlockLists } from "./dnsbl.ts";
import type { DomainList, HostList, Lists, LocalPartList } from "../../lists/lists.ts";
import { LOCAL_ERROR, status, type Status } from "../../mail/status.ts";
import type { MaybePromise } from "../../base/maybe-promise.ts";

/** A header that only our tenant sets. */
export interface Secret {
  /** The name of the field, in lower case. */
  readonly name: string;
  readonly value: string;
}

/** The proofs of a rule: at the end of DATA the message must have one of them. */
export interface Proof {
  readonly headers?: readonly Secret[];
  /** Domains of our tenant. A DKIM signature of one of them is a proof. */
  readonly dkim?: DomainList;
}

export type Verdict =
  | {
      readonly kind: "accept";
      /** The rule that decided: "local_domains", "gate.relay[1]", or "none". */
      readonly rule: string;
      readonly why: string;
      /** The relay rule of the client lets the sender through. This is also set if the recipient needs no rule. */
      readonly relayed?: boolean;
      readonly relayedWhy?: string;
      /** A message without this proof is refused. */
      readonly proof?: Proof;
      /** A message without this proof is not relayed, but counts as a stranger's. */
      readonly claim?: Proof;
      /** Headers that the relay takes out of the message. */
      readonly secrets?: readonly Secret[];
    }
  | {
      readonly kind: "refuse" | "defer";
      readonly rule: string;
      readonly why: string;
      readonly reply: Status;
    };

interface Rule {
  readonly name: string;
  readonly options: GateOptions["relay"][number];
  readonly hosts: HostList;
  /** The client must show a certificate with one of these fingerprints; undefined: it needs no certificate. */
  readonly certificates: ReadonlySet<string> | undefined;
  readonly senderDomains: DomainList;
  readonly senderLocalParts: LocalPartList | undefined;
  readonly proof: Proof | undefined;
  readonly nullSender: NullSender;
}

const DENIED = status(550, "7.1", "Relaying denied");
const ROUTED = status(550, "7.1", "Relaying denied: the address names a route");
/** Characters by which an old mailer finds a further address inside the local part. */
const ROUTE = /[@%!]/;
const NEEDS_TLS = status(530, "7.0", "Must issue a STARTTLS command first");

export class Gate {
  readonly #localDomains: DomainList;
  readonly #rules: readonly Rule[];
  readonly #blockLists: BlockLists | undefined;
  readonly #disconnects: boolean;

  constructor(options: Omit<GateOptions, "authentication">, lists: Lists, blockLists?: BlockLists) {
    this.#blockLists = blockLists?.none === true ? undefined : blockLists;
    this.#disconnects = options.dnsbl_action === "disconnect";
    this.#localDomains = lists.domains(options.local_domains);
    this.#rules = options.relay.map((rule, index) => ({
      name: `gate.relay[${index}]`,
      options: rule,
      hosts: lists.hosts(rule.hosts),
      certificates: rule.client_certificates && new Set(rule.client_certificates.map(canonical)),
      senderDomains: lists.domains(rule.sender_domains),
      senderLocalParts:
        rule.sender_local_parts === undefined
          ? undefined
          : lists.localParts(rule.sender_local_parts, rule.sender_domains),
      proof: rule.proof === undefined ? undefined : proofOf(rule.proof, lists),
      nullSender: rule.null_sender ?? nullSenderOf(rule),
    }));
  }

  /**
   * Whether the client is a host of a relay rule by its address alone. Such hosts have reserved connection slots. A rule
   * that needs a certificate does not count, because the client has not shown it yet.
   */
  isRelayHost(address: string): boolean {
    return this.#rules.some(
      ({ hosts, certificates }) => certificates === undefined && hosts.match(address).kind === "in",
    );
  }

  /** Called before the greeting. The refusal ends the session; undefined lets the client in. */
  welcome({ address }: Client): MaybePromise<Status | undefined> {
    if (this.#blockLists === undefined || this.isRelayHost(address)) return undefined;
    const listed = this.#listed(address);
    // The block lists are asked now, so that the answer is there at RCPT.
    return this.#disconnects ? listed.then((found) => found?.reply) : undefined;
  }

  async #listed(address: string): Promise<Extract<Verdict, { reply: Status }> | undefined> {
    const found = await this.#blockLists?.find(address);
    if (found === undefined) return undefined;
    const { zone, code } = found;
    return {
      kind: "refuse",
      rule: "gate.dnsbl",
      why: `${address} is listed by ${zone} (${code})`,
      reply: status(554, "7.1", `Refused, ${address} is listed by ${zone}`),
    };
  }

  /** The first rule whose hosts contain the client, and whose certificates, if it has any, include the client's. */
  #ruleOf({ address, tls }: Client): { readonly rule: Rule; readonly why: string } | undefined {
    for (const rule of this.#rules) {
      const { kind, why } = rule.hosts.match(address);
      if (kind !== "in") continue;
      if (rule.certificates === undefined) return { rule, why };
      const shown = tls?.certificate && canonical(tls.certificate);
      if (shown !== undefined && rule.certificates.has(shown)) {
        return { rule, why: `${why}; client_certificates: ${shown}` };
      }
    }
    return undefined;
  }

  /** Refuses a client that a block list has, except for mail to the postmaster (RFC 5321 4.5.1). */
  async #judgeStranger(from: Client, to: Mailbox): Promise<Verdict | undefined> {
    if (this.#blockLists === undefined || to.localPart.toLowerCase() === "postmaster")
      return undefined;
    return this.#listed(from.address);
  }

  /** Whether the domain is ours; undefined if the list of our domains cannot be read. */
  async isLocal(domain: string): Promise<boolean | undefined> {
    const { kind } = await this.#localDomains.match(domain);
    return kind === "defer" ? undefined : kind === "in";
  }

  /** Decides whether `from` may send mail from `sender` to `recipient`. It does not check whether the recipient exists. */
  async judge(from: Client, sender: Mailbox | null, recipient: Mailbox): Promise<Verdict> {
    if (from.user !== undefined) return submitted(from.user);
    const local = await this.#localDomains.match(recipient.domain);
    const why = `recipient: ${local.why}`;
    if (local.kind === "defer") {
      return { kind: "defer", rule: "local_domains", why, reply: LOCAL_ERROR };
    }
    const found = this.#ruleOf(from);
    const relay = found && (await judgeRelay(found.rule, `hosts: ${found.why}`, from, sender));
    if (local.kind === "in") return this.#judgeLocal(from, recipient, why, relay, found?.rule);
    if (relay !== undefined) return relay;
    return {
      kind: "refuse",
      rule: "none",
      why: `${why}; hosts: ${this.#nobody(from)}`,
      reply: DENIED,
    };
  }

  #nobody({ address }: Client): string {
    const isInHosts = this.#rules.some(({ hosts }) => hosts.match(address).kind === "in");
    return isInHosts
      ? `${address} has shown none of the certificates of its relay rule`
      : `${address} is in the hosts of no relay rule`;
  }

  /** `relay` is the verdict of the client's rule, if it has one, on mail to other domains. */
  async #judgeLocal(
    from: Client,
    recipient: Mailbox,
    why: string,
    relay: Verdict | undefined,
    ruleOfClient: Rule | undefined,
  ): Promise<Verdict> {
    const accepted = { kind: "accept", rule: "local_domains", why } as const;
    // A relay host whose mail its rule does not let through for certain is a stranger in this respect: other
    // organisations may send through the same host.
    const isTrusted = relay?.kind === "accept" && relay.proof === undefined;
    if (!isTrusted && ROUTE.test(recipient.localPart)) {
      const routed = `${why}; it names a route`;
      return { kind: "refuse", rule: "local_domains", why: routed, reply: ROUTED };
    }
    if (relay === undefined) {
      const refusal = await this.#judgeStranger(from, recipient);
      return refusal ?? { ...accepted, relayed: false, relayedWhy: this.#nobody(from) };
    }
    // Copies depend on whether the sender is proven, so the rule's answer must be known.
    if (relay.kind === "defer") return { ...relay, rule: "local_domains" };
    const relayedWhy = `${relay.rule}: ${relay.why}`;
    const secrets = secretsOf(ruleOfClient?.proof);
    const claim = relay.kind === "accept" && relay.proof;
    return {
      ...accepted,
      relayed: relay.kind === "accept",
      relayedWhy,
      ...(claim ? { claim } : {}),
      ...secrets,
    };
  }
}

function submitted(user: string): Verdict {
  const why = `${user} has logged in`;
  return { kind: "accept", rule: "submission", why, relayed: true, relayedWhy: why };
}

async function judgeRelay(
  { name: rule, options, senderDomains, senderLocalParts, proof, nullSender }: Rule,
  hosts: string,
  client: Client,
  sender: Mailbox | null,
): Promise<Verdict> {
  const refuse = (reply: Status, reason: string): Verdict => ({
    kind: "refuse",
    rule,
    why: `${hosts}; ${reason}`,
    reply,
  });
  const accept = (needsProof: boolean, reason: string): Verdict => ({
    kind: "accept",
    rule,
    why: `${hosts}; ${reason}`,
    relayed: true,
    relayedWhy: `${rule}: ${hosts}; ${reason}`,
    ...(needsProof ? { proof: proof ?? {} } : {}),
    ...secretsOf(proof),
  });
  if (options.require_tls && client.tls === undefined) {
    return refuse(NEEDS_TLS, "require_tls: the client speaks without TLS");
  }
  if (sender === null) {
    const why = `null_sender: "${nullSender}"`;
    return nullSender === "refuse" ? refuse(DENIED, why) : accept(nullSender === "proof", why);
  }
  const domain = await senderDomains.match(sender.domain);
  const key = domain.kind === "in" ? domain.key : undefined;
  const localPart = await senderLocalParts?.match(sender.localPart, key);
  const why = `sender_domains: ${domain.why}${localPart === undefined ? "" : `; sender_local_parts: ${localPart.why}`}`;
  if (domain.kind === "out" || localPart?.kind === "out") return refuse(DENIED, why);
  if (domain.kind === "defer" || localPart?.kind === "defer") {
    return { kind: "defer", rule, why: `${hosts}; ${why}`, reply: LOCAL_ERROR };
  }
  return accept(proof !== undefined, why);
}

type ProofOptions = NonNullable<GateOptions["relay"][number]["proof"]>;

function proofOf({ header, dkim }: ProofOptions, lists: Lists): Proof {
  return {
    ...given({ headers: header?.map(secretOf), dkim: dkim && lists.domains(dkim) }),
  };
}

function secretsOf(proof: Proof | undefined): { readonly secrets?: readonly Secret[] } {
  return given({ secrets: proof?.headers });
}

type NullSender = NonNullable<GateOptions["relay"][number]["null_sender"]>;

/** The default of null_sender. If a rule allows every sender, refusing null senders would only lose bounces of our hosts. */
function nullSenderOf({
  sender_domains: domains,
  proof,
}: GateOptions["relay"][number]): NullSender {
  if (domains.length !== 1 || domains[0] !== "*") return "refuse";
  return proof === undefined ? "accept" : "proof";
}

function secretOf(header: string): Secret {
  const colon = header.indexOf(":");
  const name = header.slice(0, colon).toLowerCase();
  return { name, value: header.slice(colon + 1).trim() };
}

/** The canonical form of a fingerprint. */
function canonical(fingerprint: string): string {
  return fingerprint.replaceAll(":", "").toLowerCase();
}
