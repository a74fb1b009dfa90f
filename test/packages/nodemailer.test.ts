// What nodemailer's SMTPConnection does that a relay must not do, and why src/smtp/client/client.ts exists (see
// docs/decisions/0003-own-smtp-client.md). It drives the demo and makes peers for tests; it delivers no mail.
// A test that fails after an upgrade is good news: look whether the decision still stands.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import { greet, scriptedServer, startSink } from "../support/sink.ts";

type Envelope = Parameters<SMTPConnection["send"]>[0];
type Sent = { info: SMTPConnection.SentMessageInfo } | { error: SMTPConnection.SMTPError };

async function open(port: number, options: SMTPConnection.Options = {}): Promise<SMTPConnection> {
  const connection = new SMTPConnection({ host: "127.0.0.1", port, ignoreTLS: true, ...options });
  await new Promise<void>((resolve, reject) => {
    connection.once("error", reject);
    connection.connect((error) => (error ? reject(error) : resolve()));
  });
  return connection;
}

function send(connection: SMTPConnection, envelope: Envelope, message: string): Promise<Sent> {
  return new Promise((resolve) => {
    connection.once("error", () => undefined);
    connection.send(envelope, message, (error, info) => {
      if (info === undefined) resolve({ error: error ?? new Error("neither result nor error") });
      else resolve({ info });
    });
  });
}

/** The envelope and the message as they went over the wire to a peer that accepts everything. */
async function wire(
  capabilities: readonly string[],
  envelope: Envelope,
  message = "Subject: x\r\n\r\nx\r\n",
): Promise<{ commands: string; bytes: string }> {
  let commands = "";
  let bytes = "";
  {
    await using peer = await scriptedServer(async (conn) => {
      await greet(conn, ["PIPELINING", ...capabilities]);
      commands = Buffer.from(await conn.readUntil("DATA\r\n"), "latin1").toString();
      const replies = commands.split("\r\n").length - 2;
      conn.send(...Array.from({ length: replies }, () => "250 2.1.0 ok"), "354 go");
      bytes = Buffer.from(await conn.readUntil("\r\n.\r\n"), "latin1").toString();
      conn.send("250 2.0.0 ok");
      await conn.closed();
    });
    const connection = await open(peer.port);
    await send(connection, envelope, message);
    connection.close();
  }
  return { commands, bytes };
}

const ALICE = "alice@example.org";

describe("nodemailer 10.6.0", () => {
  test("has one DSN request for all recipients, and encodes an ORCPT once more", async () => {
    const dsn = { ret: "HDRS", notify: "FAILURE", orcpt: "utf-8;caf+C3+A9@x" };
    const to = ["bob@example.com", "eve@example.com"];
    const { commands } = await wire(["DSN"], { from: ALICE, to, dsn });
    const orcpts = commands.match(/ORCPT=\S+/g);
    assert.equal(orcpts?.length, 2, "the same one for both");
    assert.equal(orcpts[0], orcpts[1]);
    assert.notEqual(orcpts[0], "ORCPT=utf-8;caf+C3+A9@x");
  });

  test("sends a UTF-8 address to a peer without SMTPUTF8", async () => {
    const { commands } = await wire([], { from: ALICE, to: "zoë@example.com" });
    assert.match(commands, /RCPT TO:<zoë@example\.com>/);
  });

  test("never says SMTPUTF8 for a UTF-8 header", async () => {
    const envelope = { from: ALICE, to: "bob@example.com" };
    const { commands } = await wire(["SMTPUTF8"], envelope, "Subject: zoë\r\n\r\nx\r\n");
    assert.doesNotMatch(commands, /SMTPUTF8/);
  });

  test("sends 8-bit content to a peer without 8BITMIME", async () => {
    const envelope = { from: ALICE, to: "bob@example.com", use8BitMime: true };
    const { bytes } = await wire([], envelope, "Subject: x\r\n\r\nzoë\r\n");
    assert.match(bytes, /zoë/);
  });

  test("makes CRLF of a bare CR and a bare LF", async () => {
    const envelope = { from: ALICE, to: "bob@example.com" };
    const { bytes } = await wire([], envelope, "Subject: x\r\n\r\na\nb\rc\r\n");
    assert.match(bytes, /a\r\nb\r\nc\r\n/);
  });

  test("keeps no reply to an accepted RCPT, and no enhanced code of a refused one", async () => {
    await using sink = await startSink();
    const connection = await open(sink.port);
    const to = ["bob@example.com", "permfail@example.com"];
    const sent = await send(connection, { from: ALICE, to }, "Subject: x\r\n\r\nx\r\n");
    connection.close();
    assert.ok("info" in sent);
    assert.deepEqual(sent.info.accepted, ["bob@example.com"]);
    const [refused] = sent.info.rejectedErrors ?? [];
    assert.ok(refused !== undefined);
    assert.equal(refused.responseCode, 550);
    assert.ok(!Object.values(refused).includes("5.1.1"), "only inside the text");
  });

  test("has no time limit for one reply: a drip of bytes keeps it waiting", async () => {
    const limit = 1000;
    let finished = false;
    await using peer = await scriptedServer(async (conn) => {
      conn.send("220 slow");
      await conn.readLine();
      for (let line = 0; line < 15; line++) {
        conn.raw("250-x\r\n");
        await sleep(limit / 10);
      }
      conn.send("250 x");
      finished = true;
      await conn.closed();
    });
    const connection = await open(peer.port, { socketTimeout: limit, greetingTimeout: limit });
    assert.equal(finished, true, "it waited longer than its limit");
    connection.close();
  });
});
