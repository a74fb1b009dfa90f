// What becomes of a message that its recipients were accepted for: envelope, content, proof, spool.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Client, RecipientRequest } from "../../src/mail/envelope.ts";
import type { MailRequest } from "../../src/smtp/server/reception.ts";
import { SpoolError } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import {
  CAROL,
  CLIENT,
  type Desk,
  type Fault,
  MESSAGE,
  STRANGER,
  desk,
  finish,
  rcpt,
} from "./desk.ts";

const hops = (count: number) => "Received: x\r\n".repeat(count);

describe("the envelope", () => {
  test("has every accepted recipient as it came, none merged, and no refused one", async () => {
    const { begin, spool } = desk();
    const transaction = await begin();
    const requests: RecipientRequest[] = [
      { mailbox: mailbox("Alice@example.com"), notify: "SUCCESS,DELAY", orcpt: "rfc822;a+2B" },
      { mailbox: mailbox("alice@example.com") },
      { mailbox: mailbox("alice@EXAMPLE.com") },
      { mailbox: mailbox("alice@example.com") },
    ];
    for (const request of requests) await transaction.recipient(request);
    await rcpt(transaction, "nobody@example.com");
    await finish(transaction.message(), MESSAGE);
    assert.deepEqual(spool.stored[0]?.message.recipients, requests);
  });

  test("has what the client said of the message", async () => {
    const { begin, spool } = desk();
    const mail: MailRequest = {
      sender: null,
      eightBit: true,
      smtputf8: true,
      ret: "HDRS",
      envid: "QQ+2B",
    };
    const transaction = await begin(mail, STRANGER);
    await rcpt(transaction, "alice@example.com");
    await finish(transaction.message(), MESSAGE);
    assert.deepEqual(spool.stored[0]?.message.envelope, {
      ...mail,
      id: "0000000001",
      client: STRANGER,
      relayed: false,
      receivedAt: Date.UTC(2026, 0, 1),
    });
  });
});

async function storedOf(mail: MailRequest, client: Client, recipients: readonly string[]) {
  const { begin, spool } = desk();
  const transaction = await begin(mail, client);
  for (const recipient of recipients) await rcpt(transaction, recipient);
  assert.match(await finish(transaction.message(), MESSAGE), /^250 2\.0\.0 Ok, queued as 0{9}1$/);
  return spool.stored[0]?.bytes ?? "";
}

describe("the message", () => {
  test("gets one Received header in front and is else as it came", async () => {
    const bytes = await storedOf(CAROL, CLIENT, ["alice@example.com"]);
    assert.equal(
      bytes.replace(/\t\w{3}, .*\r\n/, "\tDATE\r\n"),
      "Received: from client.example.net ([192.0.2.9])\r\n" +
        "\tby mx.example.com (unseen) with ESMTP id 0000000001\r\n" +
        "\tfor <alice@example.com>;\r\n\tDATE\r\n" +
        MESSAGE,
    );
    assert.match(bytes, /\tThu, 01 Jan 2026 \d\d:\d\d:\d\d [+-]\d{4}\r\n/);
  });

  test("does not tell one recipient of another", async () => {
    const bytes = await storedOf(CAROL, CLIENT, ["alice@example.com", "bob@example.com"]);
    assert.doesNotMatch(bytes, /for <|alice|bob/);
  });

  test("tells ESMTP from SMTP, which HELO begins", async () => {
    const basic = await storedOf(CAROL, { ...CLIENT, basic: true }, ["alice@example.com"]);
    assert.match(basic, /with SMTP id /);
  });

  test("says how it came: TLS, SMTPUTF8, IPv6", async () => {
    const tls = { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256" };
    const secured = await storedOf(CAROL, { ...CLIENT, tls }, ["alice@example.com"]);
    assert.match(secured, /with ESMTPS \(TLSv1\.3 TLS_AES_128_GCM_SHA256\) id /);
    const global = await storedOf({ ...CAROL, smtputf8: true }, CLIENT, ["alice@example.com"]);
    assert.match(global, /with UTF8SMTP id /);
    const six = await storedOf(CAROL, { ...CLIENT, address: "2001:db8::7" }, ["alice@example.com"]);
    assert.match(six, /^Received: from client\.example\.net \(\[IPv6:2001:db8::7\]\)\r\n/);
  });

  test("is attempted at once while there is room, and left to the queue else", async () => {
    const roomy = desk();
    const one = await roomy.begin();
    await rcpt(one, "alice@example.com");
    await finish(one.message(), MESSAGE);
    assert.deepEqual(
      [roomy.attempts.length, roomy.queued(), roomy.spool.stored[0]?.active],
      [1, 0, true],
    );

    const full = desk({}, false);
    const two = await full.begin();
    await rcpt(two, "alice@example.com");
    await finish(two.message(), MESSAGE);
    assert.deepEqual(
      [full.attempts.length, full.queued(), full.spool.stored[0]?.active],
      [0, 1, false],
    );
  });

  test("with too many hops is refused, and nothing of it is kept", async () => {
    const { begin, spool, log } = desk();
    const transaction = await begin();
    await rcpt(transaction, "alice@example.com");
    assert.match(await finish(transaction.message(), hops(3) + MESSAGE), /^250 /);
    assert.match(await finish(transaction.message(), hops(4) + MESSAGE), /^550 5\.4\.6 /);
    assert.deepEqual([spool.stored.length, spool.aborted], [1, 1]);
    assert.equal(log.named("message.refused").length, 1);
  });
});

const PROVEN = `X-Unseen-Tenant: s3cret\r\n${MESSAGE}`;

async function sent(mail: MailRequest, recipients: readonly string[], text: string) {
  const { begin, spool } = desk();
  const transaction = await begin(mail);
  for (const recipient of recipients) assert.equal(await rcpt(transaction, recipient), "250 2.1.5");
  const reply = await finish(transaction.message(), text);
  return { reply, bytes: spool.stored[0]?.bytes };
}

describe("the proof of a tenant", () => {
  test("lets the message out, and stays behind", async () => {
    const { reply, bytes } = await sent(CAROL, ["dave@example.org"], PROVEN);
    assert.match(reply, /^250 /);
    assert.ok(bytes?.endsWith(`\r\n${MESSAGE}`) && !bytes.includes("s3cret"));
  });

  test("missing refuses the message whole, though one recipient is ours", async () => {
    const { reply, bytes } = await sent(CAROL, ["alice@example.com", "dave@example.org"], MESSAGE);
    assert.match(reply, /^550 5\.7\.1 /);
    assert.equal(bytes, undefined);
  });

  test("is not asked of mail for us, or of a null sender that is let in, and stays behind there too", async () => {
    const nobody: MailRequest = { ...CAROL, sender: null };
    for (const [mail, to] of [
      [CAROL, "alice@example.com"],
      [nobody, "dave@example.org"],
    ] as const) {
      const { reply, bytes } = await sent(mail, [to], PROVEN);
      assert.match(reply, /^250 /);
      assert.ok(bytes?.includes("Subject: hello") && !bytes.includes("s3cret"), to);
    }
  });

  test("of a stranger is a header like any other", async () => {
    const { begin, spool } = desk();
    const transaction = await begin(CAROL, STRANGER);
    await rcpt(transaction, "alice@example.com");
    await finish(transaction.message(), PROVEN);
    assert.ok(spool.stored[0]?.bytes.endsWith(PROVEN));
  });
});

async function failing(fault: Fault): Promise<{ text: string; desk: Desk }> {
  const broken = desk(fault);
  const transaction = await broken.begin();
  await rcpt(transaction, "alice@example.com");
  const text = await finish(transaction.message(), MESSAGE, "QUIT\r\n", "more\r\n");
  return { text, desk: broken };
}

describe("a spool that fails", () => {
  test("at commit is 451, or 452 when it is full; nothing is attempted", async () => {
    const broken = await failing({ atCommit: new SpoolError("I/O error", false) });
    assert.match(broken.text, /^451 4\.3\.0 /);
    const full = await failing({ atCommit: new SpoolError("no space", true) });
    assert.match(full.text, /^452 4\.3\.1 /);
    assert.deepEqual([...broken.desk.attempts, ...full.desk.attempts], []);
    assert.equal(full.desk.log.named("spool.failed").length, 1);
  });

  test("while the message comes in is said at its end: what comes until then is text, not commands", async () => {
    for (const atWrite of ["throw", "reject"] as const) {
      const { text, desk: full } = await failing({ atWrite });
      assert.match(text, /^452 4\.3\.1 /, atWrite);
      assert.equal(full.spool.aborted, 1, atWrite);
      assert.deepEqual(full.spool.stored, []);
    }
  });
});

test("a message that the protocol refuses is logged, and one whose client is gone is not", async () => {
  const { begin, log, spool } = desk();
  const transaction = await begin();
  await rcpt(transaction, "alice@example.com");
  transaction.message().abort(status(552, "3.4", "too big"));
  transaction.message().abort();
  assert.equal(spool.aborted, 2);
  assert.deepEqual(log.named("message.refused"), [
    {
      client: "192.0.2.9",
      sender: "<carol@example.net>",
      recipients: ["alice@example.com"],
      reply: "552 5.3.4 too big",
      why: "content",
    },
  ]);
});
