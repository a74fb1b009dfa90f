// From an SMTP session to the spool: who may send, to whom, and the message itself with its Received header.
//
// Invariants:
// - The client gets 250 after DATA only when the spool has committed the message.
// - The envelope has every recipient that was accepted at RCPT; none is merged or left out.
// - A recipient that the router chain fails is refused at RCPT. So no accepted message bounces because its recipient
//   is unknown.
// - A message that must bring a proof and does not is refused for all recipients.
//
// Doors: configured.ts, events.ts, expansion.ts, played-reception.ts, relay-rates.ts, judge-recipient.ts.

import { type Draft, given } from "../base/given.ts";
import type { CutThrough, Passage } from "../deliver/cut-through/cut-through.ts";
import type { Client, MessageId, RecipientRequest } from "../mail/envelope.ts";
import type { Gate, Proof, Secret, Verdict } from "./gate/gate.ts";
import { describeError } from "../observe/log.ts";
import { Expansion, type RecipientBudget } from "./expansion.ts";
import type { DiskReserve } from "../spool/disk-reserve.ts";
import { Inspection, type InspectionServices } from "./content/content.ts";
import type { Judgement } from "./content/scans.ts";
import type { RelayRates } from "./relay-rates.ts";
import { receivedEnvelope } from "./received-envelope.ts";
import { receivedHeader } from "./received-header.ts";
import { judgeAsStranger, judgeRecipient } from "./judge-recipient.ts";
import type { Queue } from "../queue/queue.ts";
import type { Route } from "../route/route.ts";
import { Routings } from "../route/routings.ts";
import { pathText } from "../mail/address.ts";
import { FirstError } from "../base/first-error.ts";
import { type MaybePromise, together } from "../base/maybe-promise.ts";
import type {
  MailRequest,
  MailTransaction,
  MessageSink,
  Reception,
} from "../smtp/server/reception.ts";
import {
  type IncomingMessage,
  type NewMessage,
  type Spool,
  SpoolError,
  type StoredMessage,
} from "../spool/spool.ts";
import { LOCAL_ERROR, status, type Status, statusLine } from "../mail/status.ts";

export interface ReceiveServices extends InspectionServices {
  readonly hostname: string;
  readonly gate: Gate;
  readonly route: Route;
  readonly spool: Pick<Spool, "nextId" | "receive">;
  readonly reserve: Pick<DiskReserve, "hasRoomFor">;
  readonly rates: Pick<RelayRates, "take" | "wouldPutOff">;
  /** Gets each stored message. While it has room, the first attempt is recorded together with the message. */
  readonly queue: Pick<Queue, "hasRoom" | "attempt" | "wake">;
  readonly cutThrough: Pick<CutThrough, "passage">;
  /** Limit of addresses that one message leads to, after all redirects. */
  readonly addressesMax: number;
  /** Shared by all sessions of all generations. */
  readonly recipients: RecipientBudget;
}

const DISK_FULL = status(452, "3.1", "Insufficient system storage, try again later");

export function createReception(services: ReceiveServices): Reception {
  const begin = (hasRoom: boolean, client: Client, request: MailRequest) => {
    if (hasRoom) return new Transaction(client, request, services);
    services.log.event("message.refused", {
      client: client.address,
      sender: pathText(request.sender),
      reply: statusLine(DISK_FULL),
      why: "spool_reserve",
    });
    return DISK_FULL;
  };
  return {
    connect: (client) => services.gate.welcome(client),
    mail(client, request) {
      const hasRoom = services.reserve.hasRoomFor(request.declaredSize ?? 0);
      return hasRoom instanceof Promise
        ? hasRoom.then((room) => begin(room, client, request))
        : begin(hasRoom, client, request);
    },
  };
}

class Transaction implements MailTransaction {
  readonly #client: Client;
  readonly #mail: MailRequest;
  readonly #services: ReceiveServices;
  readonly #expansion: Expansion;
  readonly #routings: Routings;
  readonly #proofs = new Set<Proof>();
  readonly #claims = new Set<Proof>();
  readonly #secrets = new Set<Secret>();
  readonly #rules = new Set<string>();
  /** Per rule, recipients that it accepts if the message has its proof. */
  readonly #unproven = new Map<string, number>();
  #relayed = false;

  constructor(client: Client, mail: MailRequest, services: ReceiveServices) {
    this.#client = client;
    this.#mail = mail;
    this.#services = services;
    this.#expansion = new Expansion(services.addressesMax, services.recipients);
    this.#routings = new Routings(services.route, services.clock);
  }

  async recipient(request: RecipientRequest): Promise<Status> {
    const { mailbox: recipient } = request;
    const { sender } = this.#mail;
    const stepsFor = (relayed: boolean) => this.#expansion.stepsFor(relayed);
    const question = { client: this.#client, sender, recipient, stepsFor };
    const judged = await judgeRecipient(question, this.#services);
    const { reply: verdict, gate, routing } = judged;
    const accepted = verdict.code < 300 && routing !== undefined;
    const putOff = accepted ? this.#rated(gate) : undefined;
    const tooMany =
      accepted && putOff === undefined ? this.#expansion.add(request, routing) : undefined;
    const reply = putOff ?? tooMany ?? verdict;
    if (reply.code >= 300 || routing === undefined) {
      this.#expansion.refused();
      this.#services.log.event("recipient.refused", {
        client: this.#client.address,
        sender: pathText(sender),
        recipient: pathText(recipient),
        reply: statusLine(reply),
        why: [gate.rule, putOff && "rate", tooMany && "addresses", judged.why]
          .filter(Boolean)
          .join(": "),
      });
      return reply;
    }
    const relayed = gate.kind === "accept" && gate.relayed === true;
    const position = this.#expansion.requests.length - 1;
    this.#routings.keep(position, { routing, relayed }, (octets) => this.#expansion.keeps(octets));
    this.#rules.add(gate.rule);
    if (gate.kind === "accept") {
      this.#relayed ||= relayed;
      if (gate.proof !== undefined) this.#proofs.add(gate.proof);
      if (gate.claim !== undefined) this.#claims.add(gate.claim);
      for (const secret of gate.secrets ?? []) this.#secrets.add(secret);
    }
    return reply;
  }

  /** The reply that puts a recipient off. With a proof in its rule, it counts only when the proof is there. */
  #rated({ rule, ...gate }: Verdict): Status | undefined {
    const { rates } = this.#services;
    const { sender } = this.#mail;
    if (!("proof" in gate)) return rates.take(rule, sender);
    const count = (this.#unproven.get(rule) ?? 0) + 1;
    const putOff = rates.wouldPutOff(rule, sender, count);
    if (putOff === undefined) this.#unproven.set(rule, count);
    return putOff;
  }

  message(): MessageSink {
    const inspection = new Inspection(
      {
        client: this.#client,
        sender: this.#mail.sender,
        recipients: this.#expansion.requests.map(({ mailbox }) => mailbox),
        proofs: [...this.#proofs],
        claims: [...this.#claims],
        secrets: [...this.#secrets],
        isLocal: this.#rules.has("local_domains"),
        isRelayed: this.#services.gate.isRelayHost(this.#client.address),
      },
      this.#services,
    );
    const submission = {
      client: this.#client,
      mail: this.#mail,
      recipients: this.#expansion.requests,
      routings: this.#routings,
      rule: [...this.#rules].join(", "),
      relayed: this.#relayed,
      unproven: this.#unproven,
    };
    return new Intake(submission, inspection, this.#services);
  }

  end(): void {
    this.#expansion.end();
  }
}

/** The envelope of the content that comes next. */
interface Submission {
  readonly client: Client;
  readonly mail: MailRequest;
  readonly recipients: readonly RecipientRequest[];
  /** The chain's answers for the recipients. */
  readonly routings: Routings;
  /** The rules by which the gate decided. */
  readonly rule: string;
  /** Per rule, recipients that a relay rule accepts if the message has its proof. */
  readonly unproven: ReadonlyMap<string, number>;
  /** Whether it is relayed, as far as the gate knows: the message may still lack a proof. */
  readonly relayed: boolean;
}

/** The content of one message on its way into the spool. */
class Intake implements MessageSink {
  readonly #submission: Submission;
  readonly #services: ReceiveServices;
  readonly #id: MessageId;
  readonly #receivedAt: number;
  readonly #incoming: IncomingMessage;
  readonly #inspection: Inspection;
  readonly #passage: Passage | undefined;
  /** The first error: no more octets are kept. The client gets the reply at the end. */
  readonly #failure = new FirstError();

  constructor(submission: Submission, inspection: Inspection, services: ReceiveServices) {
    const { client, mail, recipients, routings } = submission;
    this.#submission = submission;
    this.#services = services;
    this.#id = services.spool.nextId();
    this.#receivedAt = services.clock.now();
    this.#incoming = services.spool.receive(this.#id);
    this.#inspection = inspection;
    const only = recipients.length === 1 ? recipients[0]?.mailbox : undefined;
    const received = receivedHeader({
      client,
      hostname: services.hostname,
      id: this.#id,
      smtputf8: mail.smtputf8,
      at: this.#receivedAt,
      recipient: only,
    });
    const size = mail.declaredSize === undefined ? 0 : mail.declaredSize + received.length;
    const envelope = Object.assign(this.#envelope(), { size });
    const routed = { recipients, routings };
    this.#passage = services.cutThrough.passage(envelope, routed, () => inspection.mayGo);
    // A header always fits into both.
    void this.#incoming.write(received);
    void this.#passage?.write(received);
  }

  write(piece: Buffer): MaybePromise<void> {
    return this.#orDrop(() => {
      const passed = this.#inspection.pass(piece);
      return together(passed && this.#keep(passed), this.#inspection.ready);
    });
  }

  #keep(bytes: Buffer): MaybePromise<void> {
    return together(this.#incoming.write(bytes), this.#passage?.write(bytes));
  }

  #orDrop(step: () => MaybePromise<void>): MaybePromise<void> {
    if (this.#failure.first !== undefined) return undefined;
    const dropped = () => {
      if (this.#failure.first !== undefined) this.#drop();
    };
    const done = this.#failure.guard(step);
    return done instanceof Promise ? done.then(dropped) : dropped();
  }

  #drop(): void {
    this.#incoming.abort();
    this.#passage?.abandon();
    this.#inspection.release();
  }

  async finish(): Promise<Status> {
    await this.#orDrop(() => {
      const rest = this.#inspection.end();
      return rest && this.#keep(rest);
    });
    const { first } = this.#failure;
    if (first !== undefined) return this.#failed(first.error);
    const judgement = await this.#inspection.judge();
    const refusal =
      judgement.refusal ?? (await this.#unroutedBy(judgement)) ?? this.#putOffByRate();
    if (refusal !== undefined) {
      this.abort(refusal);
      return refusal;
    }
    const active = this.#services.queue.hasRoom;
    let stored: StoredMessage;
    try {
      stored = await this.#incoming.commit(this.#newMessage(judgement), active);
    } catch (error) {
      return this.#failed(error);
    }
    this.#logAccepted(stored, judgement);
    const verdict = await this.#handOver(stored, active);
    if (verdict !== undefined && verdict.code >= 500) this.#logRefusal(verdict, "the next host");
    return verdict ?? status(250, "0.0", `Ok, queued as ${this.#id}`);
  }

  /**
   * The message has its proof, so its recipients are counted now. Other messages may have used up the rate meanwhile.
   */
  #putOffByRate(): Status | undefined {
    const { mail, unproven } = this.#submission;
    for (const [rule, count] of unproven) {
      const putOff = this.#services.rates.take(rule, mail.sender, count);
      if (putOff !== undefined) return putOff;
    }
    return undefined;
  }

  /** The refusal of a recipient that was accepted only for relayed mail, if the message is not relayed. */
  async #unroutedBy(judgement: Judgement): Promise<Status | undefined> {
    const submission = this.#submission;
    if (judgement.relayed !== false || !submission.relayed) return undefined;
    const { client, mail } = submission;
    const recipients = submission.recipients.map(({ mailbox }) => mailbox);
    return judgeAsStranger({ client, sender: mail.sender, recipients }, this.#services);
  }

  /** Hands the message to the queue. Resolves to the answer of the next host, if the client is to hear it. */
  async #handOver(stored: StoredMessage, active: boolean): Promise<Status | undefined> {
    const { queue } = this.#services;
    const { routings } = this.#submission;
    const passage = this.#passage;
    if (active && passage !== undefined) {
      const { told, ...attended } = passage.handOver();
      queue.attempt(stored, { routings, ...attended });
      return told;
    }
    passage?.abandon();
    if (active) queue.attempt(stored, { routings });
    else queue.wake();
    return undefined;
  }

  #failed(error: unknown): Status {
    this.#passage?.abandon();
    const reply = error instanceof SpoolError && error.full ? DISK_FULL : LOCAL_ERROR;
    this.#services.log.event("spool.failed", { id: this.#id, error: describeError(error) });
    this.#logRefusal(reply, "the spool");
    return reply;
  }

  abort(reply?: Status): void {
    this.#drop();
    if (reply !== undefined) this.#logRefusal(reply, "content");
  }

  #newMessage({ fields, vouched, relayed }: Judgement): NewMessage {
    const envelope = this.#envelope();
    envelope.relayed = this.#submission.relayed && relayed !== false;
    if (fields !== "") envelope.head = fields;
    const message: Draft<NewMessage> = { envelope, recipients: this.#submission.recipients };
    if (vouched !== undefined) message.vouched = vouched;
    return message;
  }

  #envelope() {
    const { client, mail } = this.#submission;
    return receivedEnvelope(this.#id, client, mail, this.#receivedAt);
  }

  #logAccepted({ envelope }: StoredMessage, { authentication, unknown }: Judgement): void {
    const { client, rule } = this.#submission;
    this.#services.log.event("message.accepted", {
      id: this.#id,
      ...this.#described(),
      helo: client.helo,
      ...given({
        user: client.user,
        tls: client.tls && `${client.tls.version} ${client.tls.cipher}`,
      }),
      ...(client.tls?.certificate === undefined
        ? {}
        : { client_certificate: client.tls.certificate }),
      rule,
      ...given({ authentication }),
      ...(unknown.length === 0 ? {} : { unchecked: unknown.join(", ") }),
      size: envelope.size,
    });
  }

  #described() {
    const { client, mail, recipients } = this.#submission;
    return {
      client: client.address,
      sender: pathText(mail.sender),
      recipients: recipients.map(({ mailbox }) => mailbox.address),
    };
  }

  #logRefusal(reply: Status, why: string): void {
    this.#services.log.event("message.refused", {
      ...this.#described(),
      reply: statusLine(reply),
      why,
    });
  }
}
