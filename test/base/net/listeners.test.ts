// Listening for a server that is none of SMTP: it says back what it hears.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { connect as connectTls, TLSSocket } from "node:tls";
import { type Accepted, type Door, Listeners } from "../../../src/base/net/listeners.ts";
import { LoopShare } from "../../../src/base/loop-share.ts";
import type { SlotOptions } from "../../../src/base/net/slots.ts";
import { OURS } from "../../support/certificates.ts";
import { type ManualClock, manualClock } from "../../support/clock.ts";
import { recordingLog, type RecordingLog } from "../../support/services.ts";

const REFUSAL = "* BYE too many\r\n";
const HERE: Door = { host: "127.0.0.1", port: 0, tls: "none", certificates: [] };
const BALANCER = "127.0.0.9";

interface Place extends AsyncDisposable {
  readonly listeners: Listeners;
  readonly clock: ManualClock;
  readonly log: RecordingLog;
  readonly refused: string[];
  /** Connections that were given out, and are not over. */
  readonly accepted: Accepted[];
  /** Begins to answer. */
  readonly open: () => void;
  readonly dial: (port: number, from?: string) => Promise<Client>;
}

interface Client {
  readonly socket: Socket;
  readonly say: (text: string) => void;
  /** Resolves when all of it was heard; rejects when the connection ends before. */
  readonly hear: (text: string) => Promise<void>;
  /** All that was heard, when the connection is over. */
  readonly end: () => Promise<string>;
}

function place(slots: Partial<SlotOptions> = {}): Place {
  const clock = manualClock();
  const log = recordingLog();
  const refused: string[] = [];
  const accepted: Accepted[] = [];
  const clients: Socket[] = [];
  const limits = {
    connectionsMax: 100,
    connectionsPerClientMax: 50,
    connectionsPerNetworkMax: 100,
    isReserved: () => false,
  };
  const listeners = new Listeners(
    { ...limits, ...slots },
    {
      clock,
      log,
      share: new LoopShare(),
      refusal: REFUSAL,
      onRefused: (address, why, told) => void refused.push(`${address}: ${why} ${told}`),
    },
  );
  return {
    listeners,
    clock,
    log,
    refused,
    accepted,
    open: () => listeners.open((connection) => void echo(connection, accepted)),
    async dial(port, from) {
      const socket = connect({ port, host: "127.0.0.1", localAddress: from });
      clients.push(socket);
      await once(socket, "connect");
      return clientOf(socket);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of clients) socket.destroy();
      for (const { socket } of accepted) socket.destroy();
      await listeners.stop();
    },
  };
}

async function echo(connection: Accepted, accepted: Accepted[]): Promise<void> {
  accepted.push(connection);
  const { socket, tls, implicitTls } = connection;
  socket.once("close", () => {
    accepted.splice(accepted.indexOf(connection), 1);
    connection.release();
  });
  const options = implicitTls ? await tls?.() : undefined;
  const stream =
    options === undefined ? socket : new TLSSocket(socket, { isServer: true, ...options });
  stream.on("error", () => stream.destroy());
  stream.on("data", (chunk) => stream.write(chunk));
  stream.on("end", () => stream.end());
  stream.resume();
}

function clientOf(socket: Socket): Client {
  let heard = "";
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
  const over = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return {
    socket,
    say: (text) => void socket.write(text),
    async hear(text) {
      while (!heard.includes(text)) {
        const ended = over.then(() => assert.fail(`it ended after ${JSON.stringify(heard)}`));
        await Promise.race([once(socket, "data"), ended]);
      }
    },
    async end() {
      await over;
      return heard;
    },
  };
}

describe("a listener", () => {
  test("gives out a connection with its client, and takes the slot back", async () => {
    await using at = place({
      connectionsPerClientMax: 1,
      isReserved: (one) => one === "127.0.0.2",
    });
    at.open();
    const port = await at.listeners.listen(HERE);
    const first = await at.dial(port);
    first.say("hello");
    await first.hear("hello");
    const [connection] = at.accepted;
    assert.deepEqual(
      [connection?.address, connection?.isReserved, connection?.implicitTls, connection?.tls],
      ["127.0.0.1", false, false, undefined],
    );
    assert.equal(await (await at.dial(port)).end(), REFUSAL);
    assert.deepEqual(at.refused, ["127.0.0.1: limit per client true"]);
    const known = await at.dial(port, "127.0.0.2");
    known.say("x");
    await known.hear("x");
    assert.equal(at.accepted[1]?.isReserved, true);
    first.socket.end();
    await first.end();
    const next = await at.dial(port);
    next.say("again");
    await next.hear("again");
  });

  test("lets clients wait that come before the server is open", async () => {
    await using at = place();
    const port = await at.listeners.listen(HERE);
    const early = await at.dial(port);
    early.say("early");
    assert.deepEqual(at.accepted, []);
    at.open();
    await early.hear("early");
  });

  test("counts by the limits that follow, and who is there stays", async () => {
    await using at = place();
    at.open();
    const port = await at.listeners.listen(HERE);
    const first = await at.dial(port);
    first.say("1");
    await first.hear("1");
    at.listeners.follow({
      connectionsMax: 1,
      connectionsPerClientMax: 9,
      connectionsPerNetworkMax: 9,
      isReserved: () => false,
    });
    assert.equal(await (await at.dial(port)).end(), REFUSAL);
    first.say("2");
    await first.hear("2");
  });

  test("offers TLS with the certificate of its door", async () => {
    await using at = place();
    at.open();
    const port = await at.listeners.listen({ ...HERE, tls: "implicit", certificates: [OURS] });
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const client = clientOf(socket);
    client.say("in secret");
    await client.hear("in secret");
    assert.equal(at.accepted[0]?.implicitTls, true);
    socket.destroy();
    await assert.rejects(at.listeners.listen({ ...HERE, tls: "starttls", certificates: [] }));
  });
});

describe("a load balancer in front of a listener", () => {
  const door: Door = { ...HERE, isProxy: (address) => address === BALANCER };

  test("says whom it speaks for, and each client has its own share", async () => {
    await using at = place({ connectionsPerClientMax: 1 });
    at.open();
    const port = await at.listeners.listen(door);
    for (const client of ["203.0.113.9", "203.0.113.10"]) {
      const one = await at.dial(port, BALANCER);
      one.say(`PROXY TCP4 ${client} 192.0.2.1 12345 993\r\nhello ${client}`);
      await one.hear(`hello ${client}`);
    }
    assert.deepEqual(
      at.accepted.map(({ address }) => address),
      ["203.0.113.9", "203.0.113.10"],
    );
    const other = await at.dial(port);
    other.say("PROXY TCP4 203.0.113.11 192.0.2.1 12345 993\r\n");
    await other.hear("PROXY TCP4");
    assert.equal(at.accepted[2]?.address, "127.0.0.1");
  });

  test("is cut off when it says nothing of the kind, or nothing for too long", async () => {
    await using at = place();
    at.open();
    const port = await at.listeners.listen(door);
    const wrong = await at.dial(port, BALANCER);
    wrong.say("hello\r\n");
    assert.equal(await wrong.end(), "");
    assert.deepEqual(at.refused, [`${BALANCER}: PROXY: no header false`]);
    const pending = at.clock.pending;
    const silent = await at.dial(port, BALANCER);
    silent.say("PROXY ");
    // The deadline is set when it is its turn.
    while (at.clock.pending === pending) await new Promise(setImmediate);
    at.clock.advance(10_000);
    assert.equal(await silent.end(), "");
    assert.deepEqual(at.accepted, []);
  });
});

describe("the doors of a listener", () => {
  test("change all together, and what is bound already stays so", async () => {
    await using at = place();
    at.open();
    const [first, second] = await at.listeners.listenOnly([HERE, { ...HERE, host: "127.0.0.2" }]);
    assert.ok(first !== undefined && second !== undefined);
    const client = await at.dial(first);
    client.say("1");
    await client.hear("1");
    const doors = [{ ...HERE, isProxy: () => true }];
    assert.deepEqual(await at.listeners.listenOnly(doors), [first]);
    client.say("2");
    await client.hear("2");
    const next = await at.dial(first);
    next.say("PROXY TCP4 203.0.113.9 192.0.2.1 12345 993\r\nhello");
    await next.hear("hello");
    assert.equal(at.accepted[1]?.address, "203.0.113.9");
    const gone = connect({ port: second, host: "127.0.0.2" });
    await assert.rejects(once(gone, "connect"), { code: "ECONNREFUSED" });
  });

  test("stay as they are when one of the new ones cannot be had", async () => {
    await using at = place();
    await using other = place();
    at.open();
    const taken = await other.listeners.listen(HERE);
    const [port] = await at.listeners.listenOnly([HERE]);
    assert.ok(port !== undefined);
    for (const wrong of [
      { ...HERE, port: taken },
      { ...HERE, host: "127.0.0.3", tls: "implicit", certificates: [] } as const,
    ]) {
      await assert.rejects(at.listeners.listenOnly([{ ...HERE, host: "127.0.0.2" }, wrong]));
      const client = await at.dial(port);
      client.say("still");
      await client.hear("still");
    }
  });

  test("are shut when it stops: nobody new, and who is there ends in peace", async () => {
    await using at = place();
    at.open();
    const port = await at.listeners.listen(HERE);
    const client = await at.dial(port);
    client.say("1");
    await client.hear("1");
    let isOver = false;
    const stopped = at.listeners.stop().then(() => (isOver = true));
    await assert.rejects(at.dial(port), { code: "ECONNREFUSED" });
    client.say("2");
    await client.hear("2");
    assert.equal(isOver, false);
    client.socket.end();
    await stopped;
    assert.equal(at.clock.pending, 0);
  });

  test("let nobody in who waits when it stops", async () => {
    await using at = place();
    const port = await at.listeners.listen({ ...HERE, isProxy: (one) => one === BALANCER });
    const early = await at.dial(port);
    await at.listeners.stop();
    assert.equal(await early.end(), "");
    assert.deepEqual(at.accepted, []);
  });
});
