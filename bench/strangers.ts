// The ways of a stranger that has 25 connections and sends no message that is accepted. Run as a program, it plays one
// of them until it is killed: `node strangers.ts KIND PORT CONNECTIONS`.

import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";

const ADDRESS = "127.0.0.9";

interface Stranger {
  /** The commands after the greeting, one for each reply. The last command is repeated. */
  readonly opening?: readonly string[];
  /** Bytes to send again and again, while the connection accepts them. */
  readonly flood?: string | Buffer;
  /** Milliseconds between two floods; 0 or absent: no pause. */
  readonly pause?: number;
  /** True: make TLS handshakes, and hang up. */
  readonly tls?: true;
}

const HELLO = "EHLO stranger.test\r\n";
const LETTER = [
  HELLO,
  "MAIL FROM:<x@stranger.test>\r\n",
  "RCPT TO:<alice@example.com>\r\n",
  "DATA\r\n",
];
const lines = (text: string, count: number) => `${text}\r\n`.repeat(count);

export const STRANGERS: Readonly<Record<string, Stranger>> = {
  connections: {},
  noop: { flood: lines("NOOP", 1000) },
  ehlo: { flood: lines("EHLO stranger.test", 1000) },
  rset: { opening: [HELLO], flood: lines("RSET", 1000) },
  unknown: { flood: lines("WIZARD", 1000) },
  auth: { opening: [HELLO], flood: lines("AUTH PLAIN AGFsaWNlAGd1ZXNz", 100) },
  mail: { opening: [HELLO], flood: lines("MAIL FROM:<x@stranger.test>\r\nRSET", 100) },
  recipients: {
    opening: LETTER.slice(0, 2),
    flood: Array.from({ length: 100 }, (_, i) => `RCPT TO:<nobody${i}@example.com>\r\n`).join(""),
  },
  "same recipient": {
    opening: LETTER.slice(0, 2),
    flood: lines("RCPT TO:<alice@example.com>", 500),
  },
  garbage: { flood: randomBytes(64 * 1024) },
  "bad lines": { flood: "\n".repeat(64 * 1024) },
  "command line": { flood: "x".repeat(64 * 1024) },
  tls: { opening: [HELLO, "STARTTLS\r\n"], tls: true },
  "drip of header": { opening: LETTER, flood: "X", pause: 1 },
  "endless header": { opening: LETTER, flood: lines(`X-Filler: ${"x".repeat(60)}`, 800) },
  "endless fields": { opening: LETTER, flood: lines("a:", 16_000) },
  "endless line": { opening: LETTER, flood: "x".repeat(64 * 1024) },
  "empty lines": { opening: LETTER, flood: "\r\n".repeat(32 * 1024) },
  dots: { opening: LETTER, flood: "..\r\n".repeat(16 * 1024) },
  oversize: { opening: LETTER, flood: `Subject: x\r\n\r\n${lines("x".repeat(70), 900)}` },
  refused: { opening: [...LETTER, "Subject: bare\n\r\n.\r\n"] },
};

async function attack(stranger: Stranger, port: number): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1", localAddress: ADDRESS, noDelay: true });
  socket.on("error", () => socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  let replies = "";
  let wake: () => void = nothing;
  socket.setEncoding("latin1").on("data", (text: string) => {
    replies = (replies + text).slice(-4096);
    wake();
  });
  const reply = async () => {
    while (!/^\d{3} .*\r\n/m.test(replies) && !socket.destroyed) {
      await Promise.race([closed, new Promise<void>((resolve) => (wake = resolve))]);
    }
    replies = "";
  };
  await reply();
  const { opening = [], flood, pause = 0, tls } = stranger;
  for (const text of opening) {
    socket.write(text);
    await reply();
  }
  if (tls === true && !socket.destroyed) await shakeHands(socket);
  while (socket.writable) {
    if (flood === undefined) break;
    if (socket.write(flood)) await (pause > 0 ? sleep(pause) : new Promise(setImmediate));
    else await Promise.race([closed, new Promise((resolve) => socket.once("drain", resolve))]);
  }
  socket.destroy();
  await closed;
}

function shakeHands(socket: Socket): Promise<void> {
  socket.removeAllListeners("data");
  return new Promise((resolve) => {
    const secure = connectTls({ socket, rejectUnauthorized: false });
    secure.once("secureConnect", () => resolve(void secure.destroy()));
    secure.once("error", () => resolve());
    secure.once("close", () => resolve());
  });
}

function nothing(): void {}

async function main([kind = "", port, connections]: readonly string[]): Promise<void> {
  const stranger = STRANGERS[kind];
  if (stranger === undefined) throw new Error(`no such stranger: ${kind}`);
  const forEver = async () => {
    for (;;) await attack(stranger, Number(port));
  };
  await Promise.all(Array.from({ length: Number(connections) }, forEver));
}

if (import.meta.main) await main(process.argv.slice(2));
