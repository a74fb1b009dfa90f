// Encodes and decodes DNS messages. This is the only module that knows dns2, and it uses only its codec: the clients of
// dns2 ignore the rcode and the question, and wait for ever.
//
// Invariants: a message is an answer only if it repeats our id and question, says "no error" or "no such name", and
// decodes completely (RFC 1035 4.1, RFC 2308, RFC 5452 4). Anything else can never say "no". An answer is secure only
// if the relay asked for the verdict and the server says so of the whole answer (the AD bit, RFC 4035 3.2.3).

import { isIPv4, isIPv6 } from "node:net";
import { Packet, type Resource } from "dns2";
import { messageProblem } from "./message-guard.ts";
import type { Answer, MxRecord, TlsaRecord } from "./dns.ts";

/** A record type: its code in a question, and the reader of its records. */
export interface RecordType<T> {
  readonly name: string;
  readonly code: number;
  /** Undefined when the codec did not give the expected fields. */
  read(resource: Resource): T | undefined;
}

export const MX: RecordType<MxRecord> = {
  name: "MX",
  code: Packet.TYPE.MX,
  read: ({ exchange, priority }) =>
    exchange === undefined || priority === undefined
      ? undefined
      : { exchange: exchange.toLowerCase(), preference: priority },
};

export const A: RecordType<string> = {
  name: "A",
  code: Packet.TYPE.A,
  read: ({ address }) => (address !== undefined && isIPv4(address) ? address : undefined),
};

export const AAAA: RecordType<string> = {
  name: "AAAA",
  code: Packet.TYPE.AAAA,
  read: ({ address }) => (address !== undefined && isIPv6(address) ? address : undefined),
};

export const TXT: RecordType<string> = {
  name: "TXT",
  code: Packet.TYPE.TXT,
  read: ({ data }) => (Array.isArray(data) ? data.join("") : undefined),
};

export const PTR: RecordType<string> = {
  name: "PTR",
  code: Packet.TYPE.PTR,
  read: ({ domain }) => domain?.toLowerCase(),
};

/** The codec does not know this type and leaves its octets alone (RFC 3597). */
const TLSA_CODE = 52;

export const TLSA: RecordType<TlsaRecord> = {
  name: "TLSA",
  code: TLSA_CODE,
  read({ data }) {
    if (!Buffer.isBuffer(data) || data.length < 3) return undefined;
    const [usage = 0, selector = 0, matching = 0] = data;
    // A separate copy: a slice would keep the whole message in memory.
    const association = Buffer.alloc(data.length - 3);
    data.copy(association, 0, 3);
    return { usage, selector, matching, association };
  },
};

export interface Query<T> {
  readonly type: RecordType<T>;
  /** Lower case, without the last dot. */
  readonly name: string;
  readonly id: number;
  /** Offer datagrams of more than 512 octets (RFC 6891). */
  readonly edns: boolean;
  /** Ask for DNSSEC's verdict and believe it. Needs EDNS. */
  readonly dnssec: boolean;
}

interface Answered<T> {
  readonly kind: "answer";
  readonly answer: Answer<T>;
  /** Seconds. */
  readonly ttl: number;
}

export type Reply<T> =
  | Answered<T>
  /** The answer does not fit a datagram: ask again over TCP. */
  | { readonly kind: "truncated" }
  /** Perhaps the server only refuses EDNS: ask again without it. */
  | { readonly kind: "no-edns" }
  /** The server has no usable answer. */
  | { readonly kind: "trouble"; readonly error: string };

/** Octets that pass every network without fragmentation (RFC 9715). */
const DATAGRAM = 1232;
/** The TC bit of the second word (RFC 1035 4.1.1). */
const TRUNCATED = 0x0200;
/** The AD bit of the same word (RFC 4035 3.1.6). */
const AUTHENTIC = 0x0020;
/** Seconds that a negative answer holds if it does not say. */
const NEGATIVE_TTL = 60;
const LINKS_MAX = 16;

export function encodeQuery(query: Query<unknown>): Buffer {
  const { type, name, id, edns } = query;
  const packet = new Packet();
  const doFlag = asksForVerdict(query);
  packet.header = new Packet.Header({ id, rd: 1 });
  packet.questions.push(new Packet.Question(name, type.code, Packet.CLASS.IN));
  if (edns) {
    packet.additionals.push(Packet.Resource.EDNS([], { udpPayloadSize: DATAGRAM, doFlag }));
  }
  const message = packet.toBuffer();
  // Today's servers answer with AD to either bit (RFC 6840 5.7), older ones only to DO.
  if (doFlag) message.writeUInt16BE(message.readUInt16BE(2) | AUTHENTIC, 2);
  return message;
}

function asksForVerdict({ dnssec, edns }: Query<unknown>): boolean {
  return dnssec && edns;
}

/**
 * Returns undefined when the message is not a reply to this query: late, lost or forged. Never throws, whatever the
 * bytes.
 */
export function decodeReply<T>(message: Buffer, query: Query<T>): Reply<T> | undefined {
  if (message.length < Packet.HEADER_SIZE || message.readUInt16BE(0) !== query.id) return undefined;
  // A truncated message may end inside a record.
  const truncated = (message.readUInt16BE(2) & TRUNCATED) !== 0;
  const problem = messageProblem(message);
  if (problem !== undefined) {
    return truncated ? { kind: "truncated" } : unreadable(problem);
  }
  try {
    const reply = judge(Packet.parse(message), query);
    const isSecure = asksForVerdict(query) && (message.readUInt16BE(2) & AUTHENTIC) !== 0;
    return isSecure && reply?.kind === "answer" ? vouched(reply) : reply;
  } catch (error) {
    return unreadable(String(error));
  }
}

function judge<T>(packet: Packet, query: Query<T>): Reply<T> | undefined {
  const { header, questions, errors } = packet;
  if (header.qr !== 1 || header.opcode !== 0) return undefined;
  const { NOERROR, FORMERR, NXDOMAIN, NOTIMP, BADVERS } = Packet.RCODE;
  const [question] = questions;
  const dislikes = header.rcode === FORMERR || header.rcode === NOTIMP || header.rcode === BADVERS;
  // A server that could not read the query may send back only the header.
  if (question === undefined ? !dislikes : !isOurs(question, query)) return undefined;
  if (dislikes && query.edns) return { kind: "no-edns" };
  if (header.tc === 1) return { kind: "truncated" };
  if (header.rcode !== NOERROR && header.rcode !== NXDOMAIN) {
    return { kind: "trouble", error: rcodeName(header.rcode) };
  }
  const broken = errors.find(({ section }) => section !== "additionals");
  if (broken !== undefined) return unreadable(broken.message);
  return header.rcode === NXDOMAIN
    ? { kind: "answer", answer: { kind: "no-such-name" }, ttl: negativeTtl(packet) }
    : readAnswer(packet, query);
}

function vouched<T>(reply: Answered<T>): Answered<T> {
  const { answer } = reply;
  return answer.kind === "temporary" ? reply : { ...reply, answer: { ...answer, secure: true } };
}

function unreadable(why: string): Reply<never> {
  return { kind: "trouble", error: `unreadable answer: ${why}` };
}

function isOurs(question: Packet["questions"][number], { type, name }: Query<unknown>): boolean {
  return (
    question.type === type.code &&
    question.class === Packet.CLASS.IN &&
    question.name.toLowerCase() === name
  );
}

function readAnswer<T>(packet: Packet, { type, name }: Query<T>): Reply<T> {
  const byOwner = Map.groupBy(
    packet.answers.filter((resource) => resource.class === Packet.CLASS.IN),
    (resource) => resource.name.toLowerCase(),
  );
  let owner = name;
  let ttl = Number.POSITIVE_INFINITY;
  for (let links = 0; links <= LINKS_MAX; links++) {
    const here = byOwner.get(owner) ?? [];
    const wanted = here.filter((resource) => resource.type === type.code);
    if (wanted.length > 0) {
      const records = wanted.flatMap((resource) => type.read(resource) ?? []);
      if (records.length < wanted.length) return unreadable(type.name);
      ttl = Math.min(ttl, ...wanted.map((resource) => resource.ttl));
      const canonical = owner === name ? {} : { canonical: owner };
      return { kind: "answer", answer: { kind: "found", records, ...canonical }, ttl };
    }
    const alias = here.find((resource) => resource.type === Packet.TYPE.CNAME);
    if (alias?.domain === undefined) return noData(packet);
    ttl = Math.min(ttl, alias.ttl);
    owner = alias.domain.toLowerCase();
  }
  return { kind: "trouble", error: "CNAMEs without end" };
}

/** A referral only says that the server does not recurse; it says nothing about the name (RFC 2308 2.2). */
function noData<T>(packet: Packet): Reply<T> {
  const { TYPE } = Packet;
  const holds = (code: number) => packet.authorities.some(({ type }) => type === code);
  if (holds(TYPE.NS) && !holds(TYPE.SOA) && packet.header.aa === 0) {
    return { kind: "trouble", error: "referral: the server does not recurse" };
  }
  return { kind: "answer", answer: { kind: "no-data" }, ttl: negativeTtl(packet) };
}

/** Seconds that a negative answer holds (RFC 2308 5). */
function negativeTtl(packet: Packet): number {
  const soa = packet.authorities.find(({ type }) => type === Packet.TYPE.SOA);
  return soa === undefined ? NEGATIVE_TTL : Math.min(soa.ttl, soa.minimum ?? NEGATIVE_TTL);
}

function rcodeName(rcode: number): string {
  const found = Object.entries(Packet.RCODE).find(([, code]) => code === rcode);
  return found?.[0] ?? `rcode ${rcode}`;
}
