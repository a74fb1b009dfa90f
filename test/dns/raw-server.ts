// A DNS server that says what a test tells it to, byte for byte. Nothing in here knows what is right.

import type { Socket } from "node:net";
import { Packet } from "dns2";
import { bindBoth, framed, onMessages } from "../support/dns.ts";

export interface RawServer {
  readonly address: string;
  /** Datagrams and TCP messages that came in. */
  readonly seen: { udp: number; tcp: number };
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface RawBehaviour {
  /** The datagrams that answer a query; none for silence. */
  readonly udp?: (query: Buffer, port: number) => readonly Buffer[];
  /** Without it nothing listens on TCP. */
  readonly tcp?: (query: Buffer, socket: Socket) => void;
}

export async function rawServer(behaviour: RawBehaviour): Promise<RawServer> {
  const seen = { udp: 0, tcp: 0 };
  const { udp, tcp, port } = await bindBoth();
  udp.on("message", (query, peer) => {
    seen.udp += 1;
    for (const answer of behaviour.udp?.(query, peer.port) ?? [])
      udp.send(answer, peer.port, peer.address);
  });
  const sockets = new Set<Socket>();
  tcp.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    onMessages(socket, (query) => {
      seen.tcp += 1;
      behaviour.tcp?.(query, socket);
    });
  });
  if (behaviour.tcp === undefined) tcp.close();
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    udp.close();
    tcp.close();
  };
  return { address: `127.0.0.1:${port}`, seen, close, [Symbol.asyncDispose]: close };
}

type Fields = ConstructorParameters<typeof Packet.Resource>[0];

/** An answer to `query` with these records; `change` may spoil it before it becomes bytes. */
export function reply(
  query: Buffer,
  records: readonly Exclude<Fields, string | undefined>[] = [],
  change: (packet: Packet) => void = () => {},
): Buffer {
  const packet = Packet.createResponseFromRequest(Packet.parse(query));
  packet.header.ra = 1;
  for (const record of records) {
    packet.answers.push(new Packet.Resource({ class: Packet.CLASS.IN, ttl: 300, ...record }));
  }
  change(packet);
  return packet.toBuffer();
}

export function a(name: string, address: string, ttl = 300) {
  return { name, type: Packet.TYPE.A, address, ttl };
}

export function sendFramed(socket: Socket, message: Buffer): void {
  socket.write(framed(message));
}
