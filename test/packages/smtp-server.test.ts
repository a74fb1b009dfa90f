// What smtp-server does that we cannot have and cannot reach through what it exports: the reasons why
// src/smtp/server/ is a server of our own (docs/decisions/0002-own-smtp-server.md). It stays our sink in tests.
// A test that fails after an upgrade is good news: the trap is gone or has moved, so look again.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { describe, mock, test } from "node:test";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

interface Server extends AsyncDisposable {
  readonly smtp: SMTPServer;
  readonly port: number;
  /** Arguments of every onMailFrom and onRcptTo, as "MAIL address" and "RCPT address". */
  readonly seen: string[];
  /** For each message: the recipients that the envelope has at the end, and the text. */
  readonly messages: { readonly recipients: readonly string[]; readonly text: string }[];
}

/** As strict as its options make it. */
async function listen(options: SMTPServerOptions = {}): Promise<Server> {
  const seen: string[] = [];
  const messages: Server["messages"] = [];
  const smtp = new SMTPServer({
    disableReverseLookup: true,
    disabledCommands: ["AUTH", "STARTTLS", "WIZ", "SHELL", "KILL"],
    closeTimeout: 100,
    ...options,
    onMailFrom({ address }, _session, done) {
      seen.push(`MAIL ${address}`);
      done();
    },
    onRcptTo({ address }, _session, done) {
      seen.push(`RCPT ${address}`);
      if (address.startsWith("stranger@")) return done(refusal());
      return done();
    },
    onData(stream, { envelope }, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const recipients = envelope.rcptTo.map(({ address }) => address);
        messages.push({ recipients, text: Buffer.concat(chunks).toString("latin1") });
        done();
      });
    },
  });
  smtp.on("error", () => undefined);
  const listener = smtp.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  assert.ok(address !== null && typeof address === "object");
  return {
    smtp,
    port: address.port,
    seen,
    messages,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => smtp.close(resolve)),
  };
}

function refusal(): Error {
  return Object.assign(new Error("5.7.1 relaying denied"), { responseCode: 550 });
}

interface Client extends Disposable {
  /** Sends exactly these bytes and reads `replies` complete replies, one string each. */
  say(bytes: string, replies?: number): Promise<string[]>;
}

function dial(port: number): Client {
  const socket: Socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  const lines = createInterface(socket)[Symbol.asyncIterator]();
  const reply = async (): Promise<string> => {
    for (let text = ""; ;) {
      const line = await lines.next();
      if (line.done === true) return text;
      text += line.value;
      if (!/^\d{3}-/.test(line.value)) return text;
      text += "\n";
    }
  };
  return {
    async say(bytes, replies = 1) {
      if (bytes !== "") socket.write(bytes, "latin1");
      const answers: string[] = [];
      while (answers.length < replies) answers.push(await reply());
      return answers;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** A client that has been greeted and has said EHLO. */
async function greeted({ port }: Server): Promise<Client> {
  const client = dial(port);
  await client.say("");
  await client.say("EHLO client.test\r\n");
  return client;
}

const codes = (replies: readonly string[]): string[] => replies.map((reply) => reply.slice(0, 3));

describe("smtp-server 3.21.6", () => {
  test("holds every greeting back for 100 ms that no option changes", async () => {
    await using server = await listen();
    const timeouts = mock.method(globalThis, "setTimeout");
    using client = dial(server.port);
    const [greeting] = await client.say("");
    timeouts.mock.restore();
    assert.match(greeting ?? "", /^220 /);
    assert.ok(timeouts.mock.calls.some(({ arguments: [, delay] }) => delay === 100));
  });

  test("takes a bare LF for the end of a command", async () => {
    await using server = await listen();
    using client = await greeted(server);
    const replies = await client.say("MAIL FROM:<a@example.org>\nRCPT TO:<b@example.com>\n", 2);
    assert.deepEqual(codes(replies), ["250", "250"]);
  });

  test("passes bare CR and LF of a message on, and unstuffs dots after a bare LF", async () => {
    await using server = await listen();
    using client = await greeted(server);
    await client.say("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n", 3);
    await client.say("one\n..two\rthree\r\n.\r\n");
    assert.equal(server.messages[0]?.text, "one\n.two\rthree\r\n");
  });

  test("makes one recipient of two that differ in case only, and loses the first", async () => {
    await using server = await listen();
    using client = await greeted(server);
    await client.say("MAIL FROM:<a@example.org>\r\n");
    await client.say("RCPT TO:<Bob@example.com>\r\nRCPT TO:<bob@example.com>\r\n", 2);
    await client.say("DATA\r\n");
    await client.say("hello\r\n.\r\n");
    assert.deepEqual(server.seen.slice(1), ["RCPT Bob@example.com", "RCPT bob@example.com"]);
    assert.deepEqual(server.messages[0]?.recipients, ["bob@example.com"]);
  });

  test("rewrites an address before the application sees it", async () => {
    await using server = await listen();
    using client = await greeted(server);
    await client.say("MAIL FROM:<a@example.org>\r\n");
    const ideographicStop = Buffer.from("user@ex\u3002ample.com").toString("latin1");
    for (const address of [
      "user@example.xn--com-",
      ideographicStop,
      "@relay.test:user@example.com",
    ]) {
      await client.say(`RCPT TO:<${address}>\r\n`);
    }
    assert.deepEqual(server.seen.slice(1), [
      "RCPT user@example.com",
      "RCPT user@ex.ample.com",
      "RCPT user@example.com",
    ]);
  });

  test("makes equal what was different, out of bytes that are no UTF-8", async () => {
    await using server = await listen();
    using client = await greeted(server);
    await client.say("MAIL FROM:<a@example.org>\r\n");
    await client.say("RCPT TO:<caf\xe9@example.com>\r\nRCPT TO:<caf\xe8@example.com>\r\n", 2);
    assert.deepEqual(server.seen.slice(1), [
      "RCPT caf\uFFFD@example.com",
      "RCPT caf\uFFFD@example.com",
    ]);
  });

  test("accepts junk behind an address and parameters that nobody knows", async () => {
    await using server = await listen();
    using client = await greeted(server);
    const replies = [
      ...(await client.say("MAIL FROM:<a@example.org> FOO=BAR\r\n")),
      ...(await client.say("RCPT TO:<b@example.com> <z@example.net>\r\n")),
    ];
    assert.deepEqual(codes(replies), ["250", "250"]);
    assert.deepEqual(server.seen, ["MAIL a@example.org", "RCPT b@example.com"]);
  });

  test("refuses a quoted local part", async () => {
    await using server = await listen();
    using client = await greeted(server);
    await client.say("MAIL FROM:<a@example.org>\r\n");
    assert.deepEqual(codes(await client.say('RCPT TO:<"b c"@example.com>\r\n')), ["501"]);
  });

  test("accepts a message whose text came before the 354", async () => {
    await using server = await listen();
    using client = await greeted(server);
    await client.say("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\n", 2);
    assert.deepEqual(codes(await client.say("DATA\r\nhello\r\n.\r\n", 2)), ["354", "250"]);
    assert.equal(server.messages[0]?.text, "hello\r\n");
  });

  test("says 5.1.1 for every 550, or no enhanced code at all", async () => {
    await using server = await listen({ hideENHANCEDSTATUSCODES: false });
    using client = await greeted(server);
    await client.say("MAIL FROM:<a@example.org>\r\n");
    assert.deepEqual(await client.say("RCPT TO:<stranger@example.net>\r\n"), [
      "550 5.1.1 5.7.1 relaying denied",
    ]);
  });

  test("cuts a client in the middle of its transaction when it closes", async () => {
    const server = await listen();
    using client = await greeted(server);
    await client.say("MAIL FROM:<a@example.org>\r\n");
    const closed = server[Symbol.asyncDispose]();
    assert.deepEqual(codes(await client.say("RCPT TO:<b@example.com>\r\n")), ["421"]);
    await closed;
  });
});
