// Hostile clients by the thousand against a server in this process: each is honest up to some state of the
// session and then says what it likes, in segments of any size, and goes away in any manner.
//
// What must hold: nothing is thrown past the session, every client is answered or cut off, no descriptor stays
// behind, and an honest client is served afterwards.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../src/base/clock.ts";
import type { Reception } from "../../src/smtp/server/reception.ts";
import { SmtpServer } from "../../src/smtp/server/server.ts";
import { status } from "../../src/mail/status.ts";
import { OURS } from "../support/certificates.ts";
import { type Random, seeded } from "../support/random.ts";
import { serverOptions } from "../support/server-options.ts";
import { Wire } from "../support/wire.ts";

const STATES = [
  "connected",
  "greeted",
  "hello",
  "mail",
  "recipient",
  "message",
  "starttls",
  "tls",
  "tls message",
] as const;
type State = (typeof STATES)[number];

/** Clients at the same time. */
const ABREAST = 20;
/** No session of this test has a reason to last so long, in ms. */
const PATIENCE = 10_000;

/** The lines by which an honest client gets into a state, each when the one before it is answered. */
const WAY: Readonly<Record<State, readonly string[]>> = {
  connected: [],
  greeted: [],
  hello: ["EHLO client.test"],
  mail: ["EHLO client.test", "MAIL FROM:<a@b.test>"],
  recipient: ["EHLO client.test", "MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>"],
  message: ["EHLO client.test", "MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA"],
  starttls: ["EHLO client.test", "STARTTLS"],
  tls: ["EHLO client.test", "STARTTLS"],
  "tls message": ["EHLO client.test", "STARTTLS"],
};

/** Throws when something does not hold. Gives the number of clients in each state. */
export async function fuzzSessions(
  seed: number,
  goesOn: (n: number) => boolean,
): Promise<Record<string, number>> {
  const random = seeded(seed);
  const server = new SmtpServer(OPTIONS, systemClock, { event: () => undefined });
  const port = await server.listen({
    host: "127.0.0.1",
    port: 0,
    tls: "starttls",
    certificates: [OURS],
  });
  server.open(moodyReception(random));
  const tally: Record<string, number> = {};
  await playHonest(port);
  const before = await quietDescriptors();
  for (let n = 0; goesOn(n); n += ABREAST) {
    const states = Array.from({ length: ABREAST }, () => random.pick(STATES));
    for (const state of states) tally[state] = (tally[state] ?? 0) + 1;
    try {
      await Promise.all(states.map((state) => playHostile(port, state, random)));
    } catch (error) {
      throw new Error(`seed ${seed}, about client ${n}`, { cause: error });
    }
  }
  await playHonest(port);
  assert.ok((await quietDescriptors(before)) <= before, "descriptors stay behind");
  await server.stop(0);
  return tally;
}

const OPTIONS = serverOptions(
  {
    sizeMax: 100_000,
    errorsMax: 10,
    refusedRecipientsMax: 10,
    commandTimeout: 5000,
    messageTimeout: 5000,
    sessionTimeout: 5000,
    postmasterDomain: "example.com",
  },
  { connectionsMax: 1000, connectionsPerClientMax: 1000, connectionsPerNetworkMax: 1000 },
);

/** At times it is slow, and at times it breaks. */
function moodyReception(random: Random): Reception {
  const moody = <T>(value: T): T | Promise<T> => {
    if (random.oneIn(20)) throw new Error("broken on purpose");
    if (random.oneIn(20)) return Promise.reject(new Error("broken later, on purpose"));
    return random.oneIn(2) ? value : new Promise((resolve) => setImmediate(resolve, value));
  };
  return {
    connect: () => undefined,
    mail: () =>
      moody({
        recipient: () => moody(status(random.pick([250, 250, 450, 550]), "1.5", "as it may be")),
        message: () => ({
          write: () => moody(undefined),
          finish: async () => moody(status(250, "0.0", "Ok")),
          abort: () => undefined,
        }),
      }),
  };
}

/** Until one whole message went through: the reception is moody with everybody. */
async function playHonest(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    using wire = await Wire.open(port);
    assert.match(await wire.reply(), /^220 /);
    const replies = [];
    for (const line of WAY.message) replies.push(await wire.ask(line));
    if (!replies.at(-1)?.startsWith("354")) continue;
    if ((await wire.ask("Subject: x\r\n\r\nx\r\n.")).startsWith("250")) return;
  }
  assert.fail("an honest client is not served any more");
}

async function playHostile(port: number, state: State, random: Random): Promise<void> {
  const raw = connect({ port, host: "127.0.0.1" });
  let hangs = false;
  const late = setTimeout(() => {
    hangs = true;
    raw.destroy();
  }, PATIENCE);
  raw.on("error", () => raw.destroy());
  const gone = new Promise<void>((resolve) => raw.once("close", () => resolve()));
  try {
    const socket = await goTo(raw, state);
    if (socket === undefined) return;
    await rage(socket, raw, state, random);
    // Node does not always tell the end of the socket below TLS.
    if (socket === raw) await gone;
    else if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  } finally {
    clearTimeout(late);
  }
  assert.ok(!hangs, `a client that was ${state} is neither answered nor cut off`);
}

/** The socket to speak on; undefined when the server has ended the session on the way. */
async function goTo(raw: Socket, state: State): Promise<Socket | undefined> {
  if (state === "connected") return raw;
  if (!(await answered(raw))) return undefined;
  if (!(await say(raw, WAY[state]))) return undefined;
  if (!state.startsWith("tls")) return raw;
  const secure = connectTls({ socket: raw, rejectUnauthorized: false });
  secure.on("error", () => secure.destroy());
  await new Promise((resolve) => secure.once("secureConnect", resolve).once("close", resolve));
  if (state === "tls message" && !(await say(secure, WAY.message))) return undefined;
  return secure;
}

async function say(socket: Socket, lines: readonly string[]): Promise<boolean> {
  for (const line of lines) {
    socket.write(`${line}\r\n`);
    if (!(await answered(socket))) return false;
  }
  return true;
}

/** False when the connection ended instead. */
function answered(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    let text = "";
    const onData = (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (/^\d{3} [^\n]*\n/m.test(text)) end(true);
    };
    const onClose = () => end(false);
    const end = (answer: boolean) => {
      socket.off("data", onData);
      socket.off("close", onClose);
      resolve(answer);
    };
    socket.on("data", onData);
    if (socket.destroyed) end(false);
    else socket.on("close", onClose);
  });
}

async function rage(socket: Socket, raw: Socket, state: State, random: Random): Promise<void> {
  socket.resume();
  const bytes = anyInput(random, state);
  for (let from = 0; from < bytes.length && !socket.destroyed;) {
    const to = from + 1 + random.below(random.pick([1, 5, 100, 2000, 100_000]));
    socket.write(bytes.subarray(from, to));
    from = to;
    if (random.oneIn(3)) await new Promise(setImmediate);
  }
  const manner = random.below(4);
  if (manner === 0) socket.destroy();
  else if (manner === 1 && socket === raw) raw.resetAndDestroy();
  else if (manner === 2) socket.end("\r\n.\r\nQUIT\r\n");
  else {
    // Behind the end of TLS, clear text must not count.
    socket.end(() => {
      if (!raw.destroyed) raw.write("\r\n.\r\nRSET\r\nQUIT\r\n", () => socket.destroy());
    });
  }
}

const LINES = [
  "EHLO client.test",
  "HELO client.test",
  "MAIL FROM:<a@b.test>",
  "MAIL FROM:<> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=x",
  "RCPT TO:<c@d.test>",
  "RCPT TO:<c@d.test> NOTIFY=NEVER ORCPT=rfc822;c@d.test",
  "RCPT TO:<postmaster>",
  "DATA",
  "RSET",
  "NOOP",
  "VRFY root",
  "HELP",
  "EXPN all",
  "BDAT 10 LAST",
  "STARTTLS",
  "QUIT",
  "AUTH PLAIN AGEAYg==",
  "Subject: x",
  "",
  ".",
  "..",
  ".x",
] as const;
const ENDS = [
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\n",
  "\r",
  "\n\r",
  "\r\r\n",
  "",
  "\u0000\r\n",
] as const;

function anyInput(random: Random, state: State): Buffer {
  const kind = random.below(state === "starttls" ? 4 : 3);
  if (kind === 0) return random.bytes(random.below(3000));
  if (kind === 3) return brokenHello(random);
  let text = "";
  for (let lines = random.below(40); lines > 0; lines--) {
    text += random.pick(LINES) + random.pick(ENDS);
    if (random.oneIn(40)) text += "x".repeat(random.below(200_000)) + random.pick(ENDS);
  }
  const bytes = Buffer.from(text, "latin1");
  if (kind === 2 && bytes.length > 0) {
    for (let changes = random.below(10); changes > 0; changes--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
  }
  return bytes;
}

/** The beginning of a TLS handshake record (RFC 8446 5.1) with rubbish behind it. */
function brokenHello(random: Random): Buffer {
  const length = random.below(600);
  const header = Buffer.from([22, 3, 1 + random.below(4), length >> 8, length & 255, 1]);
  return Buffer.concat([header, random.bytes(random.below(700))]);
}

/** Open descriptors, when there are no more than `wanted` or after two seconds. */
async function quietDescriptors(wanted?: number): Promise<number> {
  let open = readdirSync("/proc/self/fd").length;
  for (let waits = 0; waits < 20 && (wanted === undefined ? waits < 2 : open > wanted); waits++) {
    await sleep(100);
    open = readdirSync("/proc/self/fd").length;
  }
  return open;
}
