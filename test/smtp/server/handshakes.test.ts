// TLS handshakes as they come in: many at once, in bytes, late, again.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { FileTurns } from "../../../src/base/file-turns.ts";
import { Certificates } from "../../../src/base/net/certificates.ts";
import { LoopAccount, SessionParty } from "../../../src/base/loop-account.ts";
import { LoopShare } from "../../../src/base/loop-share.ts";
import { Session } from "../../../src/smtp/server/session.ts";
import { status } from "../../../src/mail/status.ts";
import { OURS } from "../../support/certificates.ts";
import { manualClock } from "../../support/clock.ts";
import { serverOptions } from "../../support/server-options.ts";
import { recordingLog } from "../../support/services.ts";

const TLS_TIMEOUT = 30_000;
const { limits: LIMITS } = serverOptions({ tlsTimeout: TLS_TIMEOUT });

/** Sessions with implicit TLS, which say when one of them begins a handshake. */
async function atTheDoor(
  play: (door: {
    open: () => Promise<Socket>;
    begun: () => number;
    failed: readonly string[];
    wait: (ms: number) => void;
  }) => Promise<void>,
): Promise<void> {
  const clock = manualClock();
  const certificates = new Certificates([OURS], false, {
    clock,
    log: recordingLog(),
    turns: new FileTurns(1),
  });
  const share = new LoopShare();
  const sessions: Session[] = [];
  const failed: string[] = [];
  let begun = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const session = new Session(socket, "127.0.0.1", LIMITS, {
      reception: { connect: () => undefined, mail: () => status(550, "7.1", "no") },
      clock,
      share,
      party: new SessionParty(new LoopAccount(false)),
      isRelayHost: false,
      tls() {
        begun++;
        return certificates.options;
      },
      onError: (_, where, error) => assert.fail(`${where}: ${String(error)}`),
      onTlsFailure: (_, error) => failed.push(error.message),
      onDropped: () => undefined,
      onEnd: () => undefined,
      onClose: () => undefined,
    });
    sessions.push(session);
    session.start(true);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const sockets: Socket[] = [];
  try {
    await play({
      async open() {
        const socket = connect({ port: address.port, host: "127.0.0.1", noDelay: true });
        socket.on("error", () => socket.destroy());
        sockets.push(socket);
        await Promise.all([once(socket, "connect"), once(server, "connection")]);
        return socket;
      },
      begun: () => begun,
      failed,
      wait(ms) {
        clock.advance(ms);
        for (const session of sessions) session.watch(clock.monotonic());
      },
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    for (const session of sessions) session.destroy();
    server.close();
  }
}

/** What a client says first. */
async function hello(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const heard = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _, done) {
      chunks.push(chunk);
      done();
    },
  });
  connectTls({ socket: heard }).on("error", () => undefined);
  await new Promise(setImmediate);
  assert.ok(chunks.length > 0);
  return Buffer.concat(chunks);
}

/** The same connection, of which nothing leaves but single bytes. */
function byteByByte(socket: Socket): Duplex {
  const duplex = new Duplex({
    read: () => void socket.resume(),
    write(chunk: Buffer, _, done) {
      for (const byte of chunk) socket.write(Buffer.from([byte]));
      done();
    },
  });
  socket.on("data", (chunk: Buffer) => duplex.push(chunk));
  socket.on("close", () => duplex.destroy());
  return duplex;
}

async function greeting(secure: TLSSocket): Promise<string> {
  const [chunk] = await once(secure, "data");
  return String(chunk);
}

describe("TLS handshakes", () => {
  it("that come all at once are begun a few in each turn, and all of them", () =>
    atTheDoor(async ({ open, begun }) => {
      const clients: Socket[] = [];
      while (clients.length < 60) clients.push(await open());
      const bytes = await hello();
      await new Promise(setImmediate);
      assert.equal(begun(), 0, "nothing is begun before the hello is there");
      const answered = clients.map((client) => once(client, "data"));
      for (const client of clients) client.write(bytes);
      let most = 0;
      for (let before = 0; before < clients.length;) {
        await new Promise(setImmediate);
        most = Math.max(most, begun() - before);
        before = begun();
      }
      assert.ok(most <= 10, `${most} in one turn`);
      await Promise.all(answered);
    }));

  it("may come byte by byte", () =>
    atTheDoor(async ({ open }) => {
      const socket = byteByByte(await open());
      const secure = connectTls({ socket, rejectUnauthorized: false });
      assert.match(await greeting(secure), /^220 /);
    }));

  it("that stop in the middle of the hello end with their time", () =>
    atTheDoor(async ({ open, wait, failed, begun }) => {
      const client = await open();
      const closed = once(client.resume(), "close");
      client.write((await hello()).subarray(0, 50));
      for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
      wait(TLS_TIMEOUT - 1);
      assert.deepEqual(failed, []);
      wait(1);
      await closed;
      assert.equal(begun(), 0);
      assert.deepEqual(failed, ["the handshake took too long"]);
    }));

  it("that are none fail", () =>
    atTheDoor(async ({ open, failed }) => {
      const client = await open();
      const closed = once(client.resume(), "close");
      client.write("EHLO client.example\r\n");
      await closed;
      assert.equal(failed.length, 1);
    }));

  it("are not made again in a session", () =>
    atTheDoor(async ({ open }) => {
      const socket = await open();
      const secure = connectTls({ socket, maxVersion: "TLSv1.2", rejectUnauthorized: false });
      assert.match(await greeting(secure), /^220 /);
      const again = await new Promise<Error | null>((resolve) => {
        secure.once("error", resolve);
        secure.renegotiate({}, resolve);
      });
      assert.match(again?.message ?? "made", /no renegotiation/i);
    }));
});
