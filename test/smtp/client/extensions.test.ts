import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { streamedBody, mailbox } from "../../support/build.ts";
import { startSink } from "../../support/sink.ts";
import { line, message, never, open, to } from "./conversation.ts";
import { TEXT, transact } from "./transacting.ts";

/** One transaction with a peer that offers this and accepts everything. */
function transactWith(
  capabilities: readonly string[],
  ...sent: Parameters<typeof message>
): ReturnType<typeof transact> {
  return transact(capabilities, message(...sent));
}

describe("what the peer does not offer", () => {
  const utf8 = { mailbox: { ...mailbox("zoë@example.com") } };
  const eightBit = "Subject: x\r\n\r\nzoë\r\n";
  const utf8Header = "Subject: zoë\r\n\r\nx\r\n";

  test("content declared as 8-bit goes on as it came without 8BITMIME, or is refused if that is asked for", async () => {
    const declared = message(eightBit, undefined, { eightBit: true });
    const passed = await transact([], declared);
    assert.match(passed.envelope, /^MAIL FROM:<alice@example\.org>\r\n/);
    assert.equal(passed.message, "250 2.0.0 ok");
    const result = await transact([], { ...declared, eightBit: "bounce" });
    assert.equal(result.envelope, "", "nothing was sent");
    assert.match(result.message ?? "", /^550 5\.6\.3 /);
  });

  test("8-bit content that nobody declared goes on as it came", async () => {
    const result = await transactWith([], eightBit, undefined, { eightBit: false });
    assert.match(result.envelope, /^MAIL FROM:<alice@example\.org>\r\n/);
    assert.equal(result.message, "250 2.0.0 ok");
  });

  test("so is declared 8-bit content in pieces", async () => {
    await using sink = await startSink({ server: { hide8BITMIME: true } });
    const conversation = await open(sink.port);
    const body = streamedBody(Buffer.from(eightBit), 4);
    const { envelope, ...rest } = message("");
    const declared = { ...rest, envelope: { ...envelope, eightBit: true }, body };
    const refused = await conversation.transact({ ...declared, eightBit: "bounce" }, never());
    assert.match(line(refused.message) ?? "", /^550 5\.6\.3 /);
    const passed = await conversation.transact({ ...declared, eightBit: "pass" }, never());
    assert.equal(passed.message?.code, 250);
    assert.deepEqual(sink.messages[0]?.raw, Buffer.from(eightBit));
    assert.equal(sink.messages[0].eightBit, false);
    await conversation.close();
  });

  test("7-bit content goes out without 8BITMIME although it was declared 8-bit", async () => {
    const result = await transactWith([], TEXT, undefined, { eightBit: true });
    assert.equal(result.message, "250 2.0.0 ok");
  });

  test("8-bit content is announced where 8BITMIME is offered", async () => {
    const result = await transactWith(["8BITMIME"], eightBit);
    assert.match(result.envelope, /^MAIL FROM:<alice@example\.org> BODY=8BITMIME\r\n/);
    const plain = await transactWith(["8BITMIME"], TEXT);
    assert.match(plain.envelope, /^MAIL FROM:<alice@example\.org>\r\n/);
  });

  test("an internationalized recipient is refused without SMTPUTF8, the others are not", async () => {
    const result = await transactWith(["8BITMIME"], TEXT, [utf8, ...to("bob@example.com")]);
    assert.match(String(result.recipients[0]), /^550 5\.6\.7 /);
    assert.equal(result.recipients[1], "250 2.0.0 ok");
    assert.doesNotMatch(result.envelope, /zo/);
  });

  test("an internationalized sender or header is refused without SMTPUTF8", async () => {
    const sender = await transactWith(["8BITMIME"], TEXT, undefined, { sender: utf8.mailbox });
    assert.match(sender.message ?? "", /^550 5\.6\.7 /);
    const header = await transactWith(["8BITMIME"], utf8Header, undefined, { smtputf8: true });
    assert.match(header.message ?? "", /^550 5\.6\.7 /);
    const body = await transactWith(["8BITMIME"], eightBit, undefined, { smtputf8: true });
    assert.equal(body.message, "250 2.0.0 ok");
  });

  test("an internationalized header in pieces is found wherever it is cut", async () => {
    await using sink = await startSink({ server: { hideSMTPUTF8: true } });
    const conversation = await open(sink.port);
    for (const [text, code] of [
      [utf8Header, 550],
      [eightBit, 250],
    ] as const) {
      const bytes = Buffer.from(text);
      for (let size = 1; size <= bytes.length; size++) {
        const body = streamedBody(bytes, size);
        const sent = { ...message("", undefined, { smtputf8: true }), body };
        const result = await conversation.transact(sent, never());
        assert.equal(result.message?.code, code, `${text} in pieces of ${size}`);
      }
    }
    await conversation.close();
  });

  test("a domain in UTF-8 goes out in its A-label form", async () => {
    const idn = { mailbox: { ...mailbox("bob@zoë.example"), domain: "xn--zo-jja.example" } };
    const result = await transactWith([], TEXT, [idn]);
    assert.match(result.envelope, /RCPT TO:<bob@xn--zo-jja\.example>/);
  });

  test("SMTPUTF8 is said where it is offered and needed", async () => {
    const result = await transactWith(["8BITMIME", "SMTPUTF8"], utf8Header, [utf8]);
    assert.match(result.envelope, /^MAIL FROM:<alice@example\.org> BODY=8BITMIME SMTPUTF8\r\n/);
    assert.match(Buffer.from(result.envelope, "latin1").toString(), /RCPT TO:<zoë@example\.com>/);
  });

  test("a message beyond the peer's SIZE is refused without being sent", async () => {
    const result = await transactWith(["SIZE 10"], TEXT);
    assert.equal(result.envelope, "");
    assert.match(result.message ?? "", /^552 5\.3\.4 /);
    assert.match((await transactWith(["SIZE 0"], TEXT)).envelope, / SIZE=20\r\n/);
  });

  test("DSN parameters pass unharmed, each recipient's own", async () => {
    const recipients = [
      { mailbox: mailbox("a@example.com"), notify: "SUCCESS,FAILURE", orcpt: "utf-8;caf+C3+A9@x" },
      { mailbox: mailbox("b@example.com"), notify: "NEVER" },
      { mailbox: mailbox("c@example.com") },
    ];
    const dsn = { ret: "HDRS", envid: "QQ+2B314" } as const;
    const offered = await transactWith(["DSN"], TEXT, recipients, dsn);
    assert.deepEqual(offered.envelope.split("\r\n").slice(0, 4), [
      "MAIL FROM:<alice@example.org> RET=HDRS ENVID=QQ+2B314",
      "RCPT TO:<a@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=utf-8;caf+C3+A9@x",
      "RCPT TO:<b@example.com> NOTIFY=NEVER",
      "RCPT TO:<c@example.com>",
    ]);
    const silent = await transactWith([], TEXT, recipients, dsn);
    assert.doesNotMatch(silent.envelope, /RET|ENVID|NOTIFY|ORCPT/);
  });

  test("the original address is in ASCII for a peer without SMTPUTF8", async () => {
    const recipients = [{ mailbox: mailbox("a@example.com"), orcpt: "utf-8;zoë@example.com" }];
    const old = await transactWith(["DSN"], TEXT, recipients);
    assert.match(
      old.envelope,
      /^RCPT TO:<a@example\.com> ORCPT=utf-8;zo\\x\{EB\}@example\.com\r$/m,
    );
    const { envelope } = await transactWith(["DSN", "SMTPUTF8"], TEXT, recipients);
    assert.match(Buffer.from(envelope, "latin1").toString(), / ORCPT=utf-8;zoë@example\.com\r$/m);
  });

  test("an argument that would end its command is never written", async () => {
    await using sink = await startSink();
    const conversation = await open(sink.port);
    for (const orcpt of ["rfc822;x\r\nRCPT TO:<eve@example.com>", "x\ny", "x\0y"]) {
      const again = await open(sink.port);
      const recipients = [{ mailbox: mailbox("bob@example.com"), orcpt }];
      const result = await again.transact(message(TEXT, recipients), never());
      assert.match(String(result.failure?.cause), /not fit for an SMTP command/);
    }
    assert.deepEqual(sink.attempted, []);
    await conversation.close();
  });
});
