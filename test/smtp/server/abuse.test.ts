// What one client can do to the others: dripping, blocking, talking first, coming in numbers.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import type { SessionLimits } from "../../../src/smtp/server/limits.ts";
import type { MessageSink, Reception } from "../../../src/smtp/server/reception.ts";
import { type ServerOptions, SmtpServer } from "../../../src/smtp/server/server.ts";
import { status } from "../../../src/mail/status.ts";
import { OURS } from "../../support/certificates.ts";
import { type ManualClock, manualClock } from "../../support/clock.ts";
import { serverOptions } from "../../support/server-options.ts";
import { Wire } from "../../support/wire.ts";
import { WaitingLog } from "../../support/relay.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

interface Door {
  readonly port: number;
  readonly clock: ManualClock;
  readonly log: WaitingLog;
  readonly server: SmtpServer;
  /** Clients of this door that are greeted. */
  readonly greeted: (from?: string) => Promise<Wire>;
}

async function atTheDoor(
  given: {
    limits?: Partial<SessionLimits>;
    options?: Partial<ServerOptions>;
    sink?: Partial<MessageSink>;
    mail?: Reception["mail"];
    tls?: "starttls" | "implicit";
  },
  play: (door: Door) => Promise<void>,
): Promise<void> {
  const clock = manualClock();
  const log = new WaitingLog();
  const server = new SmtpServer(serverOptions(given.limits, given.options), clock, log);
  const port = await server.listen({
    host: "127.0.0.1",
    port: 0,
    tls: given.tls ?? "starttls",
    certificates: [OURS],
  });
  const taken = status(250, "0.0", "Ok, queued");
  const sink = { write: () => undefined, finish: async () => taken, abort: () => undefined };
  server.open({
    connect: () => undefined,
    mail:
      given.mail ??
      (() => ({
        recipient: () => status(250, "1.5", "ok"),
        message: () => ({ ...sink, ...given.sink }),
      })),
  });
  const wires: Wire[] = [];
  const greeted = async (from?: string) => {
    const wire = await Wire.open(port, "127.0.0.1", from);
    wires.push(wire);
    assert.match(await wire.reply(), /^220 /);
    return wire;
  };
  try {
    await play({ port, clock, log, server, greeted });
  } finally {
    for (const wire of wires) wire[Symbol.dispose]();
    const stopped = server.stop(0);
    clock.advance(SECOND);
    await stopped;
  }
}

async function inData(wire: Wire): Promise<void> {
  await wire.ask("EHLO client.test");
  await wire.ask("MAIL FROM:<a@b.test>");
  await wire.ask("RCPT TO:<c@d.test>");
  assert.match(await wire.ask("DATA"), /^354/);
}

/** Until the server has read what was sent. */
async function arrived(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
}

describe("a client that takes its time", () => {
  it("is cut off when it drips a command byte by byte", () =>
    atTheDoor({}, async ({ clock, greeted }) => {
      const wire = await greeted();
      for (let n = 0; n < 6; n++) {
        wire.send("N");
        await arrived();
        clock.advance(MINUTE);
      }
      assert.match(await wire.reply(), /^421 4\.4\.2 Timeout/);
      await wire.closed();
    }));

  it("is cut off in time although the clock is set back meanwhile, and not because it is set ahead", () =>
    atTheDoor({}, async ({ clock, greeted }) => {
      const [slow, quick] = [await greeted(), await greeted()];
      clock.step(-24 * 60 * MINUTE);
      clock.advance(3 * MINUTE);
      clock.step(48 * 60 * MINUTE);
      clock.advance(SECOND);
      assert.match(await quick.ask("NOOP"), /^250/);
      clock.advance(2 * MINUTE);
      assert.match(await slow.reply(), /^421 4\.4\.2 Timeout/);
      assert.match(await quick.ask("NOOP"), /^250/);
    }));

  it("is cut off at the end of the session, however busily it says nothing", () =>
    atTheDoor({}, async ({ clock, greeted }) => {
      const wire = await greeted();
      for (let minutes = 4; minutes < 120; minutes += 4) {
        clock.advance(4 * MINUTE);
        assert.match(await wire.ask("NOOP"), /^250/);
      }
      clock.advance(4 * MINUTE);
      assert.match(await wire.reply(), /^421 4\.4\.2 Timeout/);
    }));

  it("is cut off in a transaction that does not come to DATA", () =>
    atTheDoor({}, async ({ clock, greeted }) => {
      const wire = await greeted();
      await wire.ask("EHLO client.test");
      await wire.ask("MAIL FROM:<a@b.test>");
      for (let minutes = 4; minutes < 30; minutes += 4) {
        clock.advance(4 * MINUTE);
        assert.match(await wire.ask("NOOP"), /^250/);
      }
      clock.advance(4 * MINUTE);
      assert.match(await wire.reply(), /^421 4\.4\.2 Timeout/);
    }));

  it("is cut off when a message drips", () =>
    atTheDoor({}, async ({ clock, greeted }) => {
      const wire = await greeted();
      await inData(wire);
      for (let n = 0; n < 61; n++) {
        wire.send("x".repeat(50));
        await arrived();
        clock.advance(SECOND);
      }
      assert.match(await wire.reply(), /^421 4\.4\.2 Too slow/);
    }));

  it("is served when it is slow and honest", () =>
    atTheDoor({}, async ({ clock, greeted }) => {
      const wire = await greeted();
      await inData(wire);
      for (let n = 0; n < 10; n++) {
        wire.send(`${"x".repeat(900)}\r\n`.repeat(7));
        await arrived();
        // Everything at once, then nothing for most of a minute.
        clock.advance(MINUTE - SECOND);
      }
      assert.match(await wire.ask("."), /^250/);
    }));

  it("is not charged for the time that we take", () => {
    let goOn: (() => void) | undefined;
    const write = () => new Promise<void>((resolve) => (goOn = resolve));
    return atTheDoor({ sink: { write } }, async ({ clock, greeted }) => {
      const wire = await greeted();
      await inData(wire);
      wire.send("Subject: x\r\n");
      await arrived();
      clock.advance(10 * MINUTE);
      goOn?.();
      wire.send("\r\n.\r\n");
      await arrived();
      goOn?.();
      assert.match(await wire.reply(), /^250/);
    });
  });

  it("is cut off in a TLS handshake after half a minute", () =>
    atTheDoor({}, async ({ clock, greeted, log }) => {
      const wire = await greeted();
      await wire.ask("EHLO client.test");
      assert.match(await wire.ask("STARTTLS"), /^220/);
      wire.send(Buffer.from([22, 3, 1, 2, 0]));
      await arrived();
      clock.advance(31 * SECOND);
      assert.equal(await wire.closed(), "");
      assert.match(log.named("session.tls_failed")[0]?.error ?? "", /took too long/);
    }));

  it("cannot keep its socket and its slot behind QUIT", () =>
    atTheDoor({ options: { connectionsPerClientMax: 1 } }, async ({ clock, port }) => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      const gone = new Promise((resolve) => socket.once("close", resolve));
      socket.on("error", () => undefined);
      const ended = new Promise((resolve) => socket.once("end", resolve));
      socket.resume();
      socket.write("");
      await new Promise((resolve) => socket.once("data", resolve));
      socket.write("QUIT\r\n");
      await ended;
      const second = await Wire.open(port);
      assert.match(await second.reply(), /^421 4\.7\.0 Too many connections/);
      clock.advance(6 * SECOND);
      await arrived();
      using third = await Wire.open(port);
      assert.match(await third.reply(), /^220/);
      socket.destroy();
      await gone;
    }));
});

describe("a client that gets nowhere", () => {
  it("is cut off after so many commands without a message, however polite they are", () =>
    atTheDoor({ limits: { junkCommandsMax: 12 } }, async ({ greeted, log }) => {
      const wire = await greeted();
      for (let n = 0; n < 3; n++) {
        for (const line of ["EHLO client.test", "NOOP", "RSET", "VRFY alice"]) {
          assert.match(await wire.ask(line), /^25[02]/);
        }
      }
      assert.match(await wire.ask("NOOP"), /^421 4\.7\.0 Too many commands without mail/);
      assert.equal(log.named("session.ended")[0]?.why, "too many commands without a message");
    }));

  it("starts anew with each message that is accepted", () =>
    atTheDoor({ limits: { junkCommandsMax: 3 } }, async ({ greeted }) => {
      const wire = await greeted();
      for (let n = 0; n < 5; n++) {
        assert.match(await wire.ask("RSET"), /^250/);
        assert.match(await wire.ask("NOOP"), /^250/);
        await inData(wire);
        assert.match(await wire.ask("Subject: x\r\n\r\nx\r\n."), /^250/);
      }
    }));
});

describe("a client that does not listen", () => {
  it("is not read from while it leaves our replies lying", () => {
    const long = status(450, "7.1", "x".repeat(4000));
    let answered = 0;
    const mail = () => {
      answered++;
      return long;
    };
    return atTheDoor({ mail }, async ({ port }) => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.on("error", () => undefined);
      await new Promise((resolve) => socket.once("data", resolve));
      socket.pause();
      // Their replies are 400 MB; what the system itself holds between us is a small part of that.
      socket.write(`EHLO client.test\r\n${"MAIL FROM:<>\r\n".repeat(100_000)}`);
      for (let before = -1; before !== answered;) {
        before = answered;
        await arrived();
      }
      assert.ok(answered > 0 && answered < 30_000, `${answered} commands were answered`);
      socket.destroy();
    });
  });

  it("still gets its replies when it closes its side behind a burst", () =>
    atTheDoor({}, async ({ port }) => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      let text = "";
      const greeting = new Promise((resolve) => socket.once("data", resolve));
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      await greeting;
      const gone = new Promise((resolve) => socket.once("close", resolve));
      socket.end("EHLO client.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n");
      await gone;
      assert.match(text, /250 2\.1\.0 Sender ok\r\n250 2\.1\.5 ok\r\n$/);
    }));
});

describe("a client that talks first", () => {
  it("is refused although the greeting does not wait", () =>
    atTheDoor({}, async ({ port, log }) => {
      const socket = connect({ port, host: "127.0.0.1" });
      let text = "";
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      socket.write("EHLO client.test\r\n");
      await new Promise((resolve) => socket.once("close", resolve));
      assert.equal(text, "554 5.5.0 SMTP synchronization error\r\n");
      assert.equal(log.named("session.ended")[0]?.why, "text ahead of the greeting");
    }));

  it("is found out by a delay, and who waits is greeted", () =>
    atTheDoor({ limits: { greetingDelay: 5 * SECOND } }, async ({ port, clock }) => {
      using hasty = await Wire.open(port);
      using patient = await Wire.open(port);
      await arrived();
      clock.advance(4 * SECOND);
      hasty.send("EHLO client.test\r\n");
      assert.match(await hasty.reply(), /^554 5\.5\.0/);
      clock.advance(SECOND);
      assert.match(await patient.reply(), /^220/);
    }));
});

describe("a sink that fails in the middle of a message", () => {
  const failures: [string, () => never | Promise<never>][] = [
    [
      "at once",
      () => {
        throw new Error("broken on purpose");
      },
    ],
    ["later", () => Promise.reject(new Error("broken on purpose"))],
  ];
  for (const [when, write] of failures) {
    it(`${when} does not turn the rest of it into commands`, () =>
      atTheDoor({ sink: { write } }, async ({ greeted, log }) => {
        const wire = await greeted();
        await inData(wire);
        wire.send("Subject: x\r\n");
        await arrived();
        wire.send("\r\nRSET\r\nMAIL FROM:<evil@b.test>\r\n");
        await arrived();
        assert.match(await wire.ask("."), /^451 4\.3\.0/);
        assert.match(await wire.ask("RCPT TO:<c@d.test>"), /^503/);
        assert.equal(log.named("relay.error").length, 1);
      }));
  }
});

/** To this client, under TLS. */
async function offersRequireTls(
  requireTls: SessionLimits["requireTls"],
  from: string,
): Promise<boolean> {
  let hello = "";
  const options = { isReserved: (address: string) => address === "127.0.0.9" };
  await atTheDoor({ limits: { requireTls }, options }, async ({ greeted }) => {
    const wire = await greeted(from);
    await wire.ask("EHLO client.test");
    await wire.ask("STARTTLS");
    await wire.startTls();
    hello = await wire.ask("EHLO client.test");
  });
  return hello.includes("REQUIRETLS");
}

describe("REQUIRETLS", () => {
  it("is offered to hosts of a relay rule, or to everybody, or to nobody", async () => {
    const [stranger, ours] = ["127.0.0.8", "127.0.0.9"];
    assert.deepEqual(
      [await offersRequireTls("relay", stranger), await offersRequireTls("relay", ours)],
      [false, true],
    );
    assert.deepEqual(
      [await offersRequireTls("all", stranger), await offersRequireTls("none", ours)],
      [true, false],
    );
  });
});

describe("a relay that does not get as far as opening", () => {
  it("closes its ports and sends away who came early", async () => {
    const server = new SmtpServer(serverOptions(), manualClock(), new WaitingLog());
    const port = await server.listen({ host: "127.0.0.1", port: 0, tls: "none", certificates: [] });
    using early = await Wire.open(port);
    await arrived();
    await server.stop(0);
    assert.equal(await early.closed(), "");
    await assert.rejects(Wire.open(port), /ECONNREFUSED/);
  });
});

describe("clients in numbers", () => {
  it("that send all at once are read a bounded amount in each turn of the event loop", () => {
    let read = 0;
    let inTurn = 0;
    let mostInTurn = 0;
    const write = (piece: Buffer) => {
      read += piece.length;
      inTurn += piece.length;
    };
    const options = { connectionsPerClientMax: 100 };
    return atTheDoor({ sink: { write }, options }, async ({ greeted }) => {
      const wires = await Promise.all(Array.from({ length: 60 }, () => greeted()));
      await Promise.all(wires.map(inData));
      const content = Buffer.from(`${"x".repeat(73)}\r\n`.repeat(3000));
      for (const wire of wires) wire.send(content);
      while (read < wires.length * content.length) {
        await new Promise(setImmediate);
        mostInTurn = Math.max(mostInTurn, inTurn);
        inTurn = 0;
      }
      // Two shares of half a megabyte meet between two looks, each with the last piece on top.
      assert.ok(mostInTurn < 1.5 * 2 ** 20, `${mostInTurn} bytes in one turn`);
      for (const wire of wires) wire.send(".\r\n");
      for (const wire of wires) assert.match(await wire.reply(), /^250/);
    });
  });

  it("share the connections of their /24", () =>
    atTheDoor(
      { options: { connectionsPerClientMax: 2, connectionsPerNetworkMax: 3 } },
      async ({ greeted, port, log }) => {
        for (const from of ["127.0.0.2", "127.0.0.3", "127.0.0.4"]) await greeted(from);
        using fourth = await Wire.open(port, "127.0.0.1", "127.0.0.5");
        assert.match(await fourth.reply(), /^421 4\.7\.0/);
        assert.equal(log.named("session.refused")[0]?.why, "limit per network");
        await greeted("127.0.1.2");
      },
    ));

  it("that fill every slot do not keep out the hosts of a relay rule", () =>
    atTheDoor(
      {
        options: {
          connectionsMax: 3,
          connectionsPerNetworkMax: 1,
          connectionsPerClientMax: 3,
          isReserved: (address) => address.startsWith("127.0.9."),
        },
      },
      async ({ greeted, port }) => {
        for (const from of ["127.0.1.1", "127.0.2.1", "127.0.3.1"]) await greeted(from);
        using world = await Wire.open(port, "127.0.0.1", "127.0.4.1");
        assert.match(await world.reply(), /^421 4\.7\.0/);
        const google = await greeted("127.0.9.1");
        await inData(google);
        assert.match(await google.ask("Subject: x\r\n\r\nx\r\n."), /^250/);
      },
    ));
});
