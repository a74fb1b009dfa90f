// A fake DNS server that answers like a recursive one. The records are a literal, and failures are listed beside them.
// UDP and TCP use one port of 127.0.0.1. An answer that does not fit a datagram is truncated, as RFC 6891 says.
//
//   await using dns = await startDns({
//     "example.test": { MX: [[10, "mx.example.test"]], TXT: ["v=spf1 -all"] },
//     "mx.example.test": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
//     "www.example.test": { CNAME: "mx.example.test" },
//     fail: { "MX broken.test": "SERVFAIL", "A slow.test": "timeout" },
//   });
//   createResolver({ servers: [dns.address] })

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { Packet, type Resource } from "dns2";

export interface Records {
  /** [preference, exchange]; "." is the null MX of RFC 7505. */
  readonly MX?: readonly (readonly [number, string])[];
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  /** A list is one record of several strings. */
  readonly TXT?: readonly (string | readonly string[])[];
  /** [usage, selector, matching, hexadecimal]. */
  readonly TLSA?: readonly (readonly [number, number, number, string])[];
  /** The names of an address, under a name below in-addr.arpa or ip6.arpa. */
  readonly PTR?: readonly string[];
  /** The target. Its records follow in the answer when the server has them. */
  readonly CNAME?: string;
}

export type Failure = "SERVFAIL" | "REFUSED" | "NOTIMP" | "NXDOMAIN" | "timeout";

/** A name that is missing here does not exist. A name above an existing one exists and is empty. */
export interface Zone {
  readonly [name: `${string}.${string}`]: Records;
  /** Keys are "TYPE name", or a name for all its types. */
  readonly fail?: Readonly<Record<string, Failure>>;
  /**
   * Zones whose DNSSEC validates: "example.test" and all names below it. A client that asks for the verdict is told so.
   */
  readonly signed?: readonly string[];
}

export interface FakeDns {
  /** "127.0.0.1:port", in the form of `servers` of [dns]. */
  readonly address: string;
  readonly port: number;
  /** The questions in order: "MX example.test". A repetition over TCP counts again. */
  readonly queries: string[];
  /** Replaces all records of the server. */
  set(zone: Zone): void;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const TTL = 300;
const NEGATIVE_TTL = 60;
/** RFC 6698 7.1; the codec does not know it. */
const TLSA_TYPE = 52;

export async function startDns(zone: Zone = {}): Promise<FakeDns> {
  const queries: string[] = [];
  const connections = new Set<Socket>();
  let known = zone;

  const answer = (request: Buffer) => {
    const query = Packet.parse(request);
    const question = query.questions[0];
    if (question === undefined) return undefined;
    queries.push(`${typeName(question.type)} ${question.name.toLowerCase()}`);
    return respond(query, known);
  };

  const { udp, tcp, port } = await bindBoth();
  udp.on("message", (request, peer) => {
    const response = answer(request);
    if (response !== undefined) udp.send(fit(response, request), peer.port, peer.address);
  });
  tcp.on("connection", (socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    socket.on("error", () => socket.destroy());
    onMessages(socket, (request) => {
      const response = answer(request);
      if (response !== undefined) socket.write(framed(response.toBuffer()));
    });
  });

  const close = async () => {
    for (const socket of connections) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => udp.close(resolve)),
      new Promise<void>((resolve) => void tcp.close(() => resolve())),
    ]);
  };
  return {
    address: `127.0.0.1:${port}`,
    port,
    queries,
    set: (replacement) => void (known = replacement),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Binds one port of 127.0.0.1 for UDP and TCP. TCP may have the port in use although UDP has not, so it may take
 * several tries.
 */
export async function bindBoth(): Promise<{ udp: UdpSocket; tcp: Server; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const udp = createSocket("udp4");
    await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
    const { port } = udp.address();
    const tcp = createServer();
    try {
      await new Promise<void>((resolve, reject) => {
        tcp.once("error", reject).listen(port, "127.0.0.1", resolve);
      });
      return { udp, tcp, port };
    } catch (error) {
      udp.close();
      if (attempt === 20) throw error;
    }
  }
}

function respond(query: Packet, zone: Zone): Packet | undefined {
  const { fail = {}, signed = [], ...records } = zone;
  const byName = new Map(
    Object.entries<Records>(records).map(([name, entry]) => [name.toLowerCase(), entry]),
  );
  const question = query.questions[0];
  if (question === undefined) return undefined;
  const name = question.name.toLowerCase();
  const failure = fail[`${typeName(question.type)} ${name}`] ?? fail[name];
  if (failure === "timeout") return undefined;

  const response = Packet.createResponseFromRequest(query);
  response.header.ra = 1;
  if (failure !== undefined) {
    response.header.rcode = Packet.RCODE[failure];
    return response;
  }
  const isSigned = (owner: string) =>
    signed.some((apex) => owner === apex || owner.endsWith(`.${apex}`));
  let owner = name;
  let secure = isSigned(name);
  for (let links = 0; links < 16; links++) {
    const target = byName.get(owner)?.CNAME;
    if (target === undefined) break;
    secure &&= isSigned(target.toLowerCase());
    response.answers.push(record(owner, Packet.TYPE.CNAME, { domain: target }));
    owner = target.toLowerCase();
  }
  response.answers.push(...recordsOf(owner, question.type, byName.get(owner) ?? {}));
  const exists = [...byName.keys()].some((key) => key === owner || key.endsWith(`.${owner}`));
  if (!exists) response.header.rcode = Packet.RCODE.NXDOMAIN;
  if (response.answers.every((answer) => answer.type === Packet.TYPE.CNAME)) {
    response.authorities.push(soa(owner));
  }
  if (secure && optionOf(query)?.doFlag === true) {
    Object.assign(response.header, { ad: 1 });
    const [first] = response.answers;
    if (first !== undefined) response.answers.push(signature(first));
  }
  return response;
}

function typeName(type: number): string {
  return type === TLSA_TYPE ? "TLSA" : Packet.typeName(type);
}

function optionOf({ additionals }: Packet): Resource | undefined {
  return additionals.find(({ type }) => type === Packet.TYPE.EDNS);
}

/** An RRSIG without a real signer (RFC 4034 3.1), which comes with the answers of a signed zone. */
function signature({ name, type, ttl }: Resource): Resource {
  const fixed = Buffer.alloc(18);
  fixed.writeUInt16BE(type);
  const signer = Buffer.from("\u0004test\0", "latin1");
  const data = Buffer.concat([fixed, signer, Buffer.alloc(64, 7)]);
  return record(name, Packet.TYPE.RRSIG, { ttl, data });
}

function recordsOf(owner: string, type: number, entry: Records): Resource[] {
  switch (type) {
    case Packet.TYPE.MX:
      return (entry.MX ?? []).map(([priority, exchange]) =>
        record(owner, type, { priority, exchange }),
      );
    case Packet.TYPE.A:
      return (entry.A ?? []).map((address) => record(owner, type, { address }));
    case Packet.TYPE.AAAA:
      return (entry.AAAA ?? []).map((address) => record(owner, type, { address }));
    case Packet.TYPE.TXT:
      return (entry.TXT ?? []).map((strings) => record(owner, type, { data: pieces(strings) }));
    case Packet.TYPE.PTR:
      return (entry.PTR ?? []).map((domain) => record(owner, type, { domain }));
    case TLSA_TYPE:
      return (entry.TLSA ?? []).map(([usage, selector, matching, hex]) => {
        const data = Buffer.concat([
          Buffer.from([usage, selector, matching]),
          Buffer.from(hex, "hex"),
        ]);
        return record(owner, type, { data });
      });
    default:
      return [];
  }
}

function record(name: string, type: number, fields: Partial<Resource>): Resource {
  return new Packet.Resource({ name, type, class: Packet.CLASS.IN, ttl: TTL, ...fields });
}

function soa(name: string): Resource {
  return record(name, Packet.TYPE.SOA, {
    primary: "ns.test",
    admin: "hostmaster.test",
    serial: 1,
    refresh: 3600,
    retry: 600,
    expiration: 86_400,
    minimum: NEGATIVE_TTL,
  });
}

/** Strings of at most 255 octets, as RFC 1035 3.3 wants them. */
function pieces(strings: string | readonly string[]): string[] {
  return typeof strings === "string" ? (strings.match(/.{1,255}/gs) ?? [""]) : [...strings];
}

function fit(response: Packet, request: Buffer): Buffer {
  const option = optionOf(Packet.parse(request));
  const whole = response.toBuffer();
  if (whole.length <= Math.max(512, option?.class ?? 0)) return whole;
  const truncated = new Packet();
  truncated.header = new Packet.Header(response.header);
  truncated.header.tc = 1;
  truncated.questions = response.questions;
  return truncated.toBuffer();
}

/** RFC 1035 4.2.2: two octets of length in front. */
export function framed(message: Buffer): Buffer {
  const frame = Buffer.alloc(2 + message.length);
  frame.writeUInt16BE(message.length);
  message.copy(frame, 2);
  return frame;
}

export function onMessages(socket: Socket, callback: (message: Buffer) => void): void {
  let pending = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE()) {
      const end = 2 + pending.readUInt16BE();
      callback(pending.subarray(2, end));
      pending = pending.subarray(end);
    }
  });
}
