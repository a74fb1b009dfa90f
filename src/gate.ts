// Who may send to whom. Everything that no rule allows is refused.
//
// Invariants: the rule that decides is the first whose hosts hold the client; a list that is empty, broken or
// not yet resolved holds nobody, so trouble shuts the gate and never opens it. A rule that asks for proof
// admits a recipient only provisionally: the message itself has to bring the proof.

import type { GateOptions } from "./config/gate-options.ts";
import type { Client, Mailbox } from "./envelope.ts";
import type { DomainList, HostList, Lists, LocalPartList } from "./lists/lists.ts";
import { LOCAL_ERROR, status, type Status } from "./status.ts";

/** What the message has to show at the end of DATA. */
export interface Proof {
  /** Lower-case header name and the secret value. */
  readonly header?: { readonly name: string; readonly value: string };
}

export type Verdict =
  | {
      readonly kind: "accept";
      /** For the dry run: "local domain", or the relay rule by number. */
      readonly rule: string;
      readonly local: boolean;
      readonly proof?: Proof;
    }
  | { readonly kind: "refuse" | "defer"; readonly rule: string; readonly reply: Status };

interface Rule {
  readonly name: string;
  readonly options: GateOptions["relay"][number];
  readonly hosts: HostList;
  readonly senderDomains: DomainList;
  readonly senderLocalParts: LocalPartList | undefined;
  readonly proof: Proof | undefined;
}

const DENIED = status(550, "7.1", "Relaying denied");
const NEEDS_TLS = status(530, "7.0", "Must issue a STARTTLS command first");

export class Gate {
  readonly #localDomains: DomainList;
  readonly #rules: readonly Rule[];

  constructor(options: GateOptions, lists: Lists) {
    this.#localDomains = lists.domains(options.local_domains);
    this.#rules = options.relay.map((rule, index) => ({
      name: `gate.relay[${index}]`,
      options: rule,
      hosts: lists.hosts(rule.hosts),
      senderDomains: lists.domains(rule.sender_domains),
      senderLocalParts:
        rule.sender_local_parts === undefined
          ? undefined
          : lists.localParts(rule.sender_local_parts),
      proof: rule.proof === undefined ? undefined : proofOf(rule.proof),
    }));
  }

  /** A host of any relay rule: it has connection slots of its own. */
  isRelayHost(address: string): boolean {
    return this.#rules.some(({ hosts }) => hosts.match(address).kind === "in");
  }

  /** May `client` send mail from `sender` to `recipient`? Knows nothing of whether the recipient exists. */
  async judge(client: Client, sender: Mailbox | null, recipient: Mailbox): Promise<Verdict> {
    const local = await this.#localDomains.match(recipient.domain);
    if (local.kind === "in") return { kind: "accept", rule: "local_domains", local: true };
    if (local.kind === "defer") {
      return { kind: "defer", rule: "local_domains", reply: LOCAL_ERROR };
    }
    const rule = this.#rules.find(({ hosts }) => hosts.match(client.address).kind === "in");
    if (rule === undefined) return { kind: "refuse", rule: "none", reply: DENIED };
    return this.#judgeRelay(rule, client, sender);
  }

  async #judgeRelay(rule: Rule, client: Client, sender: Mailbox | null): Promise<Verdict> {
    const refuse = (reply: Status): Verdict => ({ kind: "refuse", rule: rule.name, reply });
    if (rule.options.require_tls && client.tls === undefined) return refuse(NEEDS_TLS);
    if (sender === null) {
      if (rule.options.null_sender === "refuse") return refuse(DENIED);
      return accept(rule, rule.options.null_sender === "proof");
    }
    const domain = await rule.senderDomains.match(sender.domain);
    const localPart = (await rule.senderLocalParts?.match(sender.localPart)) ?? domain;
    if (domain.kind === "out" || localPart.kind === "out") return refuse(DENIED);
    if (domain.kind === "defer" || localPart.kind === "defer") {
      return { kind: "defer", rule: rule.name, reply: LOCAL_ERROR };
    }
    return accept(rule, rule.proof !== undefined);
  }
}

function accept(rule: Rule, needsProof: boolean): Verdict {
  const verdict = { kind: "accept", rule: rule.name, local: false } as const;
  return needsProof ? { ...verdict, proof: rule.proof ?? {} } : verdict;
}

function proofOf({ header }: { readonly header: string | undefined }): Proof {
  if (header === undefined) return {};
  const colon = header.indexOf(":");
  const name = header.slice(0, colon).toLowerCase();
  return { header: { name, value: header.slice(colon + 1).trim() } };
}
