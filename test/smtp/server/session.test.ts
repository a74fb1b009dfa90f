import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../../../src/base/clock.ts";
import type { Client } from "../../../src/mail/envelope.ts";
import type { SessionLimits } from "../../../src/smtp/server/limits.ts";
import { SmtpServer } from "../../../src/smtp/server/server.ts";
import { status, type Status } from "../../../src/mail/status.ts";
import { OURS } from "../../support/certificates.ts";
import { serverOptions } from "../../support/server-options.ts";
import { Wire } from "../../support/wire.ts";
import type { MailRequest } from "../../../src/smtp/server/reception.ts";

interface Taken {
  client: Client;
  request: MailRequest;
  recipients: string[];
  originals: (string | undefined)[];
  notifies: (string | undefined)[];
  content: string;
}

interface Stage {
  wire: Wire;
  server: SmtpServer;
  port: number;
  taken: Taken[];
  aborted: number;
}

async function onStage(
  limits: Partial<SessionLimits>,
  play: (stage: Stage) => Promise<void>,
  isReserved = true,
) {
  const options = serverOptions(
    {
      sizeMax: 10_000,
      recipientsMax: 3,
      refusedRecipientsMax: 4,
      commandTimeout: 60_000,
      postmasterDomain: "example.com",
      ...limits,
    },
    { connectionsPerClientMax: 5, isReserved: () => isReserved },
  );
  const server = new SmtpServer(options, systemClock, { event: () => undefined });
  const port = await server.listen({
    host: "127.0.0.1",
    port: 0,
    tls: "starttls",
    certificates: [OURS],
  });
  const wire = await Wire.open(port);
  const stage: Stage = { wire, server, port, taken: [], aborted: 0 };
  server.open({
    connect: () => undefined,
    mail(client, request) {
      const message: Taken = {
        client,
        request,
        recipients: [],
        originals: [],
        notifies: [],
        content: "",
      };
      return {
        recipient({ mailbox, orcpt, notify }): Promise<Status> | Status {
          if (mailbox.localPart === "nobody") return status(550, "1.1", "No such user here");
          if (mailbox.localPart === "breaks") throw new Error("broken on purpose");
          message.recipients.push(mailbox.address);
          message.originals.push(orcpt);
          message.notifies.push(notify);
          return mailbox.localPart === "later"
            ? Promise.resolve(status(250, "1.5", "ok"))
            : status(250, "1.5", "ok");
        },
        message: () => ({
          write: (piece) => void (message.content += piece.toString("latin1")),
          async finish() {
            stage.taken.push(message);
            return status(250, "0.0", "Ok, queued");
          },
          abort: () => void stage.aborted++,
        }),
      };
    },
  });
  try {
    assert.match(await wire.reply(), /^220 mx\.example\.com ESMTP/);
    await play(stage);
  } finally {
    wire[Symbol.dispose]();
    await server.stop(0);
  }
}

const HELLO = "EHLO client.test";

describe("an SMTP session", () => {
  it("takes a message in the plain way", () =>
    onStage({}, async ({ wire, taken }) => {
      assert.match(
        await wire.ask(HELLO),
        /250-PIPELINING\r\n.*250-SIZE 10000\r\n.*STARTTLS.*DSN.*SMTPUTF8$/s,
      );
      assert.equal(
        await wire.ask("MAIL FROM:<a@b.test> SIZE=5 BODY=8BITMIME RET=HDRS ENVID=x+2By"),
        "250 2.1.0 Sender ok",
      );
      assert.equal(
        await wire.ask("RCPT TO:<c@d.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;c@d.test"),
        "250 2.1.5 ok",
      );
      assert.match(await wire.ask("DATA"), /^354 /);
      assert.equal(await wire.ask("Subject: x\r\n\r\n..dot\r\n."), "250 2.0.0 Ok, queued");
      assert.equal(await wire.ask("QUIT"), "221 2.0.0 Bye");
      const [message] = taken;
      assert.equal(message?.content, "Subject: x\r\n\r\n.dot\r\n");
      assert.deepEqual(message?.recipients, ["c@d.test"]);
      assert.equal(message?.request.envid, "x+2By");
      assert.equal(message?.request.ret, "HDRS");
      assert.equal(message?.request.eightBit, true);
    }));

  it("answers a pipelined burst in order, however it is cut", () =>
    onStage({}, async ({ wire, taken }) => {
      const burst = `${HELLO}\r\nMAIL FROM:<>\r\nRCPT TO:<later@d.test>\r\nRCPT TO:<nobody@d.test>\r\nRCPT TO:<C@d.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n`;
      for (const byte of burst) {
        wire.send(byte);
        await new Promise(setImmediate);
      }
      const replies: string[] = [];
      for (let i = 0; i < 7; i++) replies.push((await wire.reply()).slice(0, 3));
      assert.deepEqual(replies, ["250", "250", "250", "550", "250", "250", "354"]);
      assert.match(await wire.ask("x\r\n."), /^250/);
      assert.deepEqual(taken[0]?.recipients, ["later@d.test", "C@d.test", "c@d.test"]);
      assert.equal(taken[0]?.request.sender, null);
    }));

  const wrongOrder: [name: string, lines: string[], reply: RegExp][] = [
    ["MAIL before EHLO", ["MAIL FROM:<a@b.test>"], /^503 5\.5\.1/],
    ["RCPT before MAIL", [HELLO, "RCPT TO:<a@b.test>"], /^503 5\.5\.1/],
    ["DATA before RCPT", [HELLO, "MAIL FROM:<a@b.test>", "DATA"], /^503 5\.5\.1/],
    [
      "DATA with only refused recipients",
      [HELLO, "MAIL FROM:<a@b.test>", "RCPT TO:<nobody@d.test>", "DATA"],
      /^503 5\.5\.1/,
    ],
    ["a second MAIL", [HELLO, "MAIL FROM:<a@b.test>", "MAIL FROM:<a@b.test>"], /^503 5\.5\.1/],
    ["an unknown command", ["WIZ"], /^500 5\.5\.1/],
    ["an unknown parameter", [HELLO, "MAIL FROM:<a@b.test> FOO=BAR"], /^555 5\.5\.4/],
    ["a repeated parameter", [HELLO, "MAIL FROM:<a@b.test> SIZE=1 SIZE=2"], /^501 5\.5\.4/],
    ["a wrong value", [HELLO, "MAIL FROM:<a@b.test> BODY=BINARY"], /^501 5\.5\.4/],
    ["junk behind the address", [HELLO, "MAIL FROM:<a@b.test> <c@d.test>"], /^501 5\.5\.4/],
    ["junk behind a recipient", [HELLO, "MAIL FROM:<>", "RCPT TO:<a@b.test>x"], /^501 5\.5\.4/],
    ["a recipient that is null", [HELLO, "MAIL FROM:<>", "RCPT TO:<>"], /^501 5\.1\.3/],
    ["a source route", [HELLO, "MAIL FROM:<>", "RCPT TO:<@x.test:a@b.test>"], /^501 5\.1\.3/],
    ["UTF-8 without SMTPUTF8", [HELLO, "MAIL FROM:<\u00c3\u00a9@b.test>"], /^553 5\.6\.7/],
    ["invalid UTF-8", [HELLO, "MAIL FROM:<\u00e9@b.test> SMTPUTF8"], /^500 5\.5\.2/],
    ["a control character", [HELLO, "MAIL FROM:<a\u0000@b.test>"], /^500 5\.5\.2/],
    ["a bare CR in a command", [HELLO, "MAIL FROM:<a@b.test>\rRCPT TO:<z@x.test>"], /^500 5\.5\.2/],
    ["a message announced as too big", [HELLO, "MAIL FROM:<a@b.test> SIZE=10001"], /^552 5\.3\.4/],
    ["a HELO with spaces", ["EHLO a b"], /^501 5\.5\.4/],
    [
      "NOTIFY=NEVER with more",
      [HELLO, "MAIL FROM:<>", "RCPT TO:<c@d.test> NOTIFY=NEVER,DELAY"],
      /^501/,
    ],
    ["STARTTLS with an argument", [HELLO, "STARTTLS now"], /^501/],
  ];
  for (const [name, lines, reply] of wrongOrder) {
    it(`refuses ${name} and goes on`, () =>
      onStage({}, async ({ wire }) => {
        let last = "";
        for (const line of lines) last = await wire.ask(line);
        assert.match(last, reply);
        assert.match(await wire.ask("NOOP"), /^250/);
      }));
  }

  it("takes a bare LF for no line end", () =>
    onStage({}, async ({ wire }) => {
      wire.send("NOOP\nMAIL FROM:<a@b.test>\r\n");
      assert.match(await wire.reply(), /^500 5\.5\.2/);
      assert.match(await wire.ask("RCPT TO:<c@d.test>"), /^503/);
    }));

  it("refuses every line that ends in a bare LF, at once", () =>
    onStage({}, async ({ wire }) => {
      for (const line of ["NOOP\n", "NOOP\n", "NOOP\r\r\n", "\n"]) {
        wire.send(line);
        if (line !== "NOOP\r\r\n") assert.match(await wire.reply(), /^500 5\.5\.2/);
      }
      wire.send("\r\n");
      assert.match(await wire.ask("NOOP"), /^250/);
    }));

  it("takes blanks behind a command for nothing", () =>
    onStage({}, async ({ wire }) => {
      for (const line of ["RSET ", "RSET  ", "NOOP   "]) assert.match(await wire.ask(line), /^250/);
      assert.match(await wire.ask("DATA  "), /^503/);
    }));

  it("refuses a message with a bare LF at its end and leaves the session right", () =>
    onStage({}, async ({ wire, taken }) => {
      await wire.ask(HELLO);
      await wire.ask("MAIL FROM:<a@b.test>");
      await wire.ask("RCPT TO:<c@d.test>");
      await wire.ask("DATA");
      assert.match(await wire.ask("x\n.\r\nMAIL FROM:<evil@b.test>\r\n."), /^550 5\.6\.0/);
      assert.match(await wire.ask("RCPT TO:<c@d.test>"), /^503/);
      assert.match(await wire.ask("MAIL FROM:<a@b.test>"), /^250/);
      assert.equal(taken.length, 0);
    }));

  it("ends a session whose message runs ahead of 354", () =>
    onStage({}, async ({ wire, taken }) => {
      await wire.ask(HELLO);
      await wire.ask("MAIL FROM:<a@b.test>");
      await wire.ask("RCPT TO:<c@d.test>");
      wire.send("DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n");
      assert.match(await wire.reply(), /^554 5\.5\.0/);
      await wire.closed();
      assert.equal(taken.length, 0);
    }));

  it("ends a session that runs ahead of STARTTLS", () =>
    onStage({}, async ({ wire }) => {
      await wire.ask(HELLO);
      wire.send("STARTTLS\r\nMAIL FROM:<a@b.test>\r\n");
      assert.match(await wire.reply(), /^554 5\.5\.0/);
      await wire.closed();
    }));

  it("forgets everything at STARTTLS", () =>
    onStage({}, async ({ wire, taken }) => {
      await wire.ask(HELLO);
      await wire.ask("MAIL FROM:<a@b.test>");
      assert.match(await wire.ask("STARTTLS"), /^220/);
      await wire.startTls();
      assert.match(await wire.ask("RCPT TO:<c@d.test>"), /^503/);
      assert.match(await wire.ask("MAIL FROM:<a@b.test>"), /^503/);
      assert.doesNotMatch(await wire.ask(HELLO), /STARTTLS/);
      assert.match(await wire.ask("STARTTLS"), /^503/);
      await wire.ask("MAIL FROM:<a@b.test>");
      await wire.ask("RCPT TO:<c@d.test>");
      await wire.ask("DATA");
      assert.match(await wire.ask("x\r\n."), /^250/);
      assert.equal(taken.length, 1);
    }));

  it("knows who said HELO from who said EHLO last", () =>
    onStage({}, async ({ wire, taken }) => {
      for (const hello of ["HELO old.test", HELLO]) {
        await wire.ask(hello);
        await wire.ask("MAIL FROM:<a@b.test>");
        await wire.ask("RCPT TO:<c@d.test>");
        await wire.ask("DATA");
        assert.match(await wire.ask("x\r\n."), /^250/);
      }
      assert.deepEqual(
        taken.map(({ client }) => client.basic),
        [true, undefined],
      );
    }));

  it("takes DSN parameters in ASCII, and an original address beyond it under SMTPUTF8 only", () =>
    onStage({}, async ({ wire, taken }) => {
      const plain = "RCPT TO:<c@d.test> ORCPT=utf-8;zo\\x{EB}@d.test";
      const beyond = "RCPT TO:<c@d.test> ORCPT=utf-8;zo\u00c3\u00ab@d.test";
      const mislabelled = "RCPT TO:<c@d.test> ORCPT=rfc822;zo\u00c3\u00ab@d.test";
      await wire.ask(HELLO);
      for (const [mail, rcpts] of [
        ["MAIL FROM:<a@b.test> ENVID=zo\u00c3\u00ab", [beyond, plain]],
        ["MAIL FROM:<a@b.test> SMTPUTF8", [mislabelled, beyond]],
      ] as const) {
        assert.match(await wire.ask(mail), /^250/);
        for (const rcpt of rcpts) assert.match(await wire.ask(rcpt), /^250/);
        await wire.ask("DATA");
        assert.match(await wire.ask("x\r\n."), /^250/);
      }
      assert.equal(taken[0]?.request.envid, undefined);
      assert.deepEqual(
        taken.map(({ originals }) => originals),
        [
          [undefined, "utf-8;zo\\x{EB}@d.test"],
          [undefined, "utf-8;zo\u00eb@d.test"],
        ],
      );
    }));

  for (const dsn of ["relay", "none"] as const) {
    const isRelayHost = dsn === "none";
    it(`with dsn = "${dsn}" offers others no DSN, reads what they ask for, and forgets it`, () =>
      onStage(
        { dsn },
        async ({ wire, taken }) => {
          assert.doesNotMatch(await wire.ask(HELLO), /DSN/);
          assert.match(await wire.ask("MAIL FROM:<a@b.test> RET=ALL"), /^501/);
          assert.match(
            await wire.ask("MAIL FROM:<a@b.test> RET=FULL ENVID=x BODY=8BITMIME"),
            /^250/,
          );
          assert.match(await wire.ask("RCPT TO:<c@d.test> NOTIFY=NEVER,SUCCESS"), /^501/);
          assert.match(
            await wire.ask("RCPT TO:<c@d.test> NOTIFY=SUCCESS ORCPT=rfc822;c@d.test"),
            /^250/,
          );
          await wire.ask("DATA");
          assert.match(await wire.ask("x\r\n."), /^250/);
          const [message] = taken;
          assert.deepEqual(message?.originals, [undefined]);
          const { request } = message;
          assert.deepEqual(
            [request.ret, request.envid, request.eightBit],
            [undefined, undefined, true],
          );
          assert.deepEqual(message.notifies, [undefined]);
        },
        isRelayHost,
      ));
  }

  it("offers DSN to hosts of a relay rule, and takes it there", () =>
    onStage({ dsn: "relay" }, async ({ wire, taken }) => {
      assert.match(await wire.ask(HELLO), /^250-DSN\r?$/m);
      await wire.ask("MAIL FROM:<a@b.test> RET=HDRS");
      await wire.ask("RCPT TO:<c@d.test> NOTIFY=SUCCESS");
      await wire.ask("DATA");
      assert.match(await wire.ask("x\r\n."), /^250/);
      assert.equal(taken[0]?.request.ret, "HDRS");
      assert.deepEqual(taken[0].notifies, ["SUCCESS"]);
    }));

  it("offers REQUIRETLS under TLS only, and takes it there only", () =>
    onStage({}, async ({ wire, taken }) => {
      assert.doesNotMatch(await wire.ask(HELLO), /REQUIRETLS/);
      assert.match(await wire.ask("MAIL FROM:<a@b.test> REQUIRETLS"), /^530 5\.7\.0/);
      await wire.ask("STARTTLS");
      await wire.startTls();
      assert.match(await wire.ask(HELLO), /^250[ -]REQUIRETLS$/m);
      assert.match(await wire.ask("MAIL FROM:<a@b.test> REQUIRETLS=yes"), /^501/);
      assert.match(await wire.ask("MAIL FROM:<a@b.test> requiretls"), /^250/);
      await wire.ask("RCPT TO:<c@d.test>");
      await wire.ask("DATA");
      assert.match(await wire.ask("x\r\n."), /^250/);
      assert.equal(taken[0]?.request.requireTls, true);
    }));

  it("takes no REQUIRETLS where it is not offered", () =>
    onStage({ requireTls: "none" }, async ({ wire }) => {
      await wire.ask(HELLO);
      await wire.ask("STARTTLS");
      await wire.startTls();
      assert.doesNotMatch(await wire.ask(HELLO), /REQUIRETLS/);
      assert.match(await wire.ask("MAIL FROM:<a@b.test> REQUIRETLS"), /^555 5\.5\.4/);
    }));

  it("asks for another message behind the recipients it takes in one", () =>
    onStage({}, async ({ wire }) => {
      await wire.ask(HELLO);
      await wire.ask("MAIL FROM:<a@b.test>");
      for (const name of ["x", "y", "z"])
        assert.match(await wire.ask(`RCPT TO:<${name}@d.test>`), /^250/);
      assert.match(await wire.ask("RCPT TO:<w@d.test>"), /^452 4\.5\.3/);
    }));

  it("completes the bare postmaster", () =>
    onStage({}, async ({ wire, taken }) => {
      await wire.ask(HELLO);
      await wire.ask("MAIL FROM:<a@b.test>");
      await wire.ask("RCPT TO:<Postmaster>");
      await wire.ask("DATA");
      await wire.ask("x\r\n.");
      assert.deepEqual(taken[0]?.recipients, ["Postmaster@example.com"]);
    }));

  it("answers 451 when the relay itself fails, and goes on", () =>
    onStage({}, async ({ wire }) => {
      await wire.ask(HELLO);
      await wire.ask("MAIL FROM:<a@b.test>");
      assert.match(await wire.ask("RCPT TO:<breaks@d.test>"), /^451 4\.3\.0/);
      assert.match(await wire.ask("RCPT TO:<c@d.test>"), /^250/);
    }));

  it("ends with 421 after too many errors", () =>
    onStage({}, async ({ wire }) => {
      for (let i = 0; i < 4; i++) assert.match(await wire.ask("FOO"), /^500/);
      assert.match(await wire.ask("FOO"), /^421 4\.7\.0/);
      await wire.closed();
    }));

  it("ends with 421 after too many refused recipients", () =>
    onStage({}, async ({ wire }) => {
      await wire.ask(HELLO);
      await wire.ask("MAIL FROM:<a@b.test>");
      for (let i = 0; i < 3; i++)
        assert.match(await wire.ask("RCPT TO:<nobody@d.test>"), /^550 5\.1\.1/);
      assert.match(await wire.ask("RCPT TO:<nobody@d.test>"), /^421 4\.7\.0/);
      await wire.closed();
    }));

  it("ends with 421 at a command line without end", () =>
    onStage({}, async ({ wire }) => {
      wire.send("N".repeat(600));
      assert.match(await wire.reply(), /^421 4\.5\.2/);
      await wire.closed();
    }));

  it("refuses a message over the size while it streams", () =>
    onStage({}, async ({ wire, taken }) => {
      await wire.ask(HELLO);
      await wire.ask("MAIL FROM:<a@b.test>");
      await wire.ask("RCPT TO:<c@d.test>");
      await wire.ask("DATA");
      assert.match(await wire.ask(`${"x".repeat(500)}\r\n`.repeat(22) + "."), /^552 5\.3\.4/);
      assert.match(await wire.ask("NOOP"), /^250/);
      assert.equal(taken.length, 0);
    }));

  it("drops a message whose client goes away in the middle", () =>
    onStage({}, async (stage) => {
      const { wire } = stage;
      await wire.ask(HELLO);
      await wire.ask("MAIL FROM:<a@b.test>");
      await wire.ask("RCPT TO:<c@d.test>");
      await wire.ask("DATA");
      wire.send("half a mess");
      wire[Symbol.dispose]();
      await stage.server.stop(10_000);
      assert.equal(stage.aborted, 1);
      assert.equal(stage.taken.length, 0);
    }));

  it("ends idle sessions when the relay stops, and lets a transaction end first", () =>
    onStage({}, async (stage) => {
      const { wire, server, port } = stage;
      const idle = await Wire.open(port);
      await idle.reply();
      await wire.ask(HELLO);
      await wire.ask("MAIL FROM:<a@b.test>");
      const stopped = server.stop(60_000);
      assert.match(await idle.reply(), /^421 4\.3\.2/);
      assert.match(await wire.ask("RCPT TO:<c@d.test>"), /^250/);
      await wire.ask("DATA");
      assert.match(await wire.ask("x\r\n."), /^250/);
      assert.match(await wire.reply(), /^421 4\.3\.2/);
      await stopped;
      assert.equal(stage.taken.length, 1);
    }));

  it("refuses a client over its share of connections", () =>
    onStage({}, async ({ port }) => {
      const others = await Promise.all([1, 2, 3, 4].map(() => Wire.open(port)));
      for (const other of others) assert.match(await other.reply(), /^220/);
      const tooMany = await Wire.open(port);
      assert.match(await tooMany.reply(), /^421 4\.7\.0/);
      await tooMany.closed();
      for (const other of others) other[Symbol.dispose]();
    }));
});
