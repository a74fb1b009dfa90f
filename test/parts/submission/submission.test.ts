import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LOGIN, sendAs, startSubmission } from "./relay.ts";

const HEADER = "From: alice@example.com\r\nSubject: hello\r\n\r\n";

function b64(text: string): string {
  return Buffer.from(text).toString("base64");
}

describe("submission", () => {
  test("a message goes to the world and to .Sent, with Date, without Bcc, and else byte for byte", async () => {
    await using submission = await startSubmission("implicit");
    const { relay, sink } = submission;
    const wire = await submission.login();
    assert.equal(
      await wire.ask("MAIL FROM:<al@example.com> SIZE=100 BODY=8BITMIME RET=HDRS"),
      "250 Accepted",
    );
    assert.equal(await wire.ask('RCPT TO:<"a b"@example.net> NOTIFY=NEVER'), "250 Accepted");
    assert.equal(await wire.ask("RCPT TO:<A@example.net>"), "250 Accepted");
    assert.equal(await wire.ask("RCPT TO:<a@example.net>"), "250 Accepted");
    assert.match(await wire.ask("DATA"), /^354 /);
    const body = `..a dot\r\n\xff\xfe ${"x".repeat(9000)}\r\n\r\n \r\n`;
    wire.send(
      `Bcc: x@y.z\r\nFrom: Al <al@example.com>\r\nSubject:  folded\r\n\tline\r\n\r\n${body}.\r\n`,
    );
    assert.match(await wire.reply(), /^250 2\.0\.0 Ok, queued as /);
    const [accepted] = await relay.happened("message.accepted");
    assert.equal(accepted?.user, "alice@example.com");
    assert.equal(accepted.rule, "submission");
    await relay.happened("message.completed");
    const [copy = ""] = await relay.copies("mail/example.com/alice/.Sent");
    assert.match(copy, /with ESMTPSA \(TLS/);
    assert.ok(!copy.includes("Bcc"));
    const [, text] =
      /\nFrom: Al <al@example\.com>\n(Subject:  folded\n\tline\nDate: [^\n]+\nMessage-ID: <[^>]+>\n\n[^]*)$/.exec(
        copy,
      ) ?? [];
    assert.ok(text?.endsWith(body.slice(1).replaceAll("\r\n", "\n")), copy);
    assert.deepEqual(accepted.recipients, ['"a b"@example.net', "A@example.net", "a@example.net"]);
    assert.ok(sink.messages.length > 0);
  });

  test("no password before TLS, and nothing that came before it", async () => {
    await using submission = await startSubmission("starttls");
    const wire = await submission.open();
    assert.match(await wire.ask(LOGIN), /^530 5\.7\.0 /);
    assert.match(await wire.ask("MAIL FROM:<alice@example.com>"), /^530 5\.7\.0 /);
    assert.match(await wire.ask("STARTTLS"), /^220 /);
    await wire.startTls();
    assert.match(await wire.ask("MAIL FROM:<alice@example.com>"), /^503 /);
    assert.match(await wire.ask("EHLO x.example"), /AUTH PLAIN LOGIN/);
    assert.match(await wire.ask("MAIL FROM:<alice@example.com>"), /^530 /);
    assert.match(await wire.ask(LOGIN), /^235 /);
    assert.match(await sendAs(wire, HEADER), /^250 /);
    const hasty = await submission.open();
    hasty.send("STARTTLS\r\nEHLO injected\r\n");
    assert.match(await hasty.closed(), /^554 5\.5\.0 .*\r\n$/);
  });

  test("AUTH LOGIN and PLAIN in their forms; nobody acts for another", async () => {
    await using submission = await startSubmission();
    for (const [lines, code] of [
      [["AUTH PLAIN", b64("\0ALICE@example.com\0geheim")], "235"],
      [[`AUTH PLAIN ${b64("alice@example.com\0alice@example.com\0geheim")}`], "235"],
      [["AUTH LOGIN", b64("alice@example.com"), b64("geheim")], "235"],
      [["auth login", "*"], "501"],
      [[`AUTH PLAIN ${b64("bob@example.com\0alice@example.com\0geheim")}`], "535"],
      [[`AUTH PLAIN ${b64("\0alice@example.com\0geheim ")}`], "535"],
      [["AUTH PLAIN ====="], "501"],
      [["AUTH CRAM-MD5"], "504"],
      [["AUTH XOAUTH2"], "504"],
    ] as const) {
      const wire = await submission.open();
      let reply = "";
      for (const line of lines) reply = await wire.ask(line);
      assert.equal(reply.slice(0, 3), code, `${lines.join(" ")}: ${reply}`);
      wire[Symbol.dispose]();
    }
    const failed = submission.relay.log.named("login.failed");
    assert.equal(failed.length, 2);
    assert.ok(!JSON.stringify(submission.relay.log.events).includes("geheim"));
  });

  test("a user sends as itself and its aliases, in the envelope and in the header", async () => {
    await using submission = await startSubmission();
    const wire = await submission.login();
    for (const [sender, code] of [
      ["alice@example.com", "250 Accepted"],
      ["ALICE+lists@Example.com", "250 Accepted"],
      ["al@example.com", "250 Accepted"],
      ["bob@example.com", "550 5.7.60"],
      ["", "550 5.7.60"],
      ["alice@example.net", "550 5.7.60"],
      ["alice%bob@example.com", "550 5.7.60"],
    ] as const) {
      const reply = await wire.ask(`MAIL FROM:<${sender}>`);
      assert.ok(reply.startsWith(code), `${sender}: ${reply}`);
      await wire.ask("RSET");
    }
    for (const [from, code] of [
      ["Alice <al+x@example.com>", "250"],
      ["bob@example.com", "550 5.7.60"],
      ["alice@example.com, bob@example.com", "550 5.7.60"],
      ["alice@example.com\r\nSender: bob@example.com", "550 5.7.60"],
      ["bob@example.com <alice@example.com>", "550 5.7.60"],
    ] as const) {
      const reply = await sendAs(wire, `From: ${from}\r\n\r\nx`);
      assert.ok(reply.startsWith(code), `${from}: ${reply}`);
    }
    assert.match(await sendAs(wire, "Subject: no author\r\n\r\nx"), /^550 5\.7\.60 /);
  });

  test("limits: recipients, rate, size", async () => {
    await using submission = await startSubmission(
      "none",
      '[submission]\nrecipients_max = 2\nrate = "3/1h"\nmessage_size_limit = "10K"',
    );
    const wire = await submission.login();
    assert.match(await wire.ask("MAIL FROM:<alice@example.com> SIZE=20000"), /^552 5\.3\.4 /);
    await wire.ask("MAIL FROM:<alice@example.com>");
    assert.match(await wire.ask("RCPT TO:<a@example.net>"), /^250 /);
    assert.match(await wire.ask("RCPT TO:<nobody@example.com>"), /^550 5\.1\.1 /);
    assert.match(await wire.ask("RCPT TO:<b@example.net>"), /^250 /);
    assert.match(await wire.ask("RCPT TO:<c@example.net>"), /^452 4\.5\.3 /);
    await wire.ask("RSET");
    await wire.ask("MAIL FROM:<alice@example.com>");
    assert.match(await wire.ask("RCPT TO:<a@example.net>"), /^250 /);
    assert.match(await wire.ask("RCPT TO:<d@example.net>"), /^450 4\.7\.1 /);
    await wire.ask("DATA");
    wire.send(`${HEADER}${`${"x".repeat(70)}\r\n`.repeat(200)}.\r\n`);
    assert.match(await wire.reply(), /^552 /);
  });
});

describe("submission: traps of smtp-server", () => {
  for (const [name, text] of [
    ["a bare LF", `${HEADER}a\nb`],
    ["a bare CR", `${HEADER}a\rb`],
    ["a smuggled end", `${HEADER}a\n.\r\nMAIL FROM:<x@y.z>`],
    ["another smuggled end", `${HEADER}a\r\n.\nMAIL FROM:<x@y.z>`],
    ["a line without an end", `${HEADER}${"x".repeat(70_000)}`],
  ] as const) {
    test(`${name} is refused, and is one message to its end`, async () => {
      await using submission = await startSubmission();
      const wire = await submission.login();
      assert.match(await sendAs(wire, text), /^550 5\.6\.0 /);
      assert.match(await wire.ask("NOOP"), /^250 /);
      assert.match(await sendAs(wire, `${HEADER}fine`), /^250 /);
      assert.equal(submission.relay.log.named("message.accepted").length, 1);
    });
  }
  test("commands may be pipelined up to DATA, and no text behind it", async () => {
    await using submission = await startSubmission();
    const wire = await submission.login();
    wire.send("MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n");
    for (const code of ["250", "250", "354"]) assert.equal((await wire.reply()).slice(0, 3), code);
    wire.send(`${HEADER}x\r\n.\r\nNOOP\r\n`);
    assert.match(await wire.reply(), /^250 2\.0\.0 Ok, queued/);
    assert.match(await wire.reply(), /^250 OK/);
    wire.send(
      `MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n${HEADER}.\r\n`,
    );
    assert.match(await wire.closed(), /554 5\.5\.0 .*\r\n$/);
    assert.equal(submission.relay.log.named("message.accepted").length, 1);
  });
  test("a command ends with CRLF, or is none; the last one without an end never runs", async () => {
    await using submission = await startSubmission();
    const wire = await submission.login();
    assert.match(await wire.ask("NOOP\nRSET"), /^500 5\.5\.2 /);
    assert.match(await wire.reply(), /^250 /);
    assert.match(await wire.ask("WIZ"), /^500 /);
    assert.match(await wire.ask("SHELL"), /^500 /);
    assert.match(await wire.ask("XCLIENT NAME=x"), /^500 /);
    assert.match(await wire.ask("RCPT TO:<a@x.y> FOO=1"), /^555 /);
    assert.match(await wire.ask("MAIL FROM:<alice@example.com> REQUIRETLS"), /^555 /);
    wire.send("MAIL FROM:<alice@example.com>");
    wire[Symbol.dispose]();
    await submission.relay.happened("session.ended");
    assert.equal(submission.relay.log.named("relay.error").length, 0);
  });
  test("endless lines, endless AUTH and endless guesses end the session", async () => {
    await using submission = await startSubmission();
    for (const text of ["x".repeat(20_000), `AUTH PLAIN ${"A".repeat(20_000)}\r\n`]) {
      const wire = await submission.open();
      wire.send(text);
      assert.match(await wire.closed(), /^421 4\.5\.2 /);
    }
    const wire = await submission.open();
    await wire.ask("AUTH PLAIN");
    wire.send("A".repeat(20_000));
    assert.match(await wire.closed(), /^421 4\.5\.2 /);
    const strange = await submission.open();
    strange.send("NOPE\r\n".repeat(30));
    assert.match(await strange.closed(), /421 [^\r]*\r\n$/);
  });
  test("a stop lets the transaction under way end, and ends the idle sessions", async () => {
    await using submission = await startSubmission();
    const [busy, idle] = [await submission.login(), await submission.login()];
    await busy.ask("MAIL FROM:<alice@example.com>");
    const stopped = submission.relay.stop(10_000);
    assert.match(await idle.closed(), /^421 4\.3\.2 /);
    assert.match(await busy.ask("RCPT TO:<bob@example.com>"), /^250 /);
    assert.match(await busy.ask("DATA"), /^354 /);
    busy.send(`${HEADER}x\r\n.\r\n`);
    assert.match(await busy.closed(), /^250 2\.0\.0 Ok, queued[^]*421 4\.3\.2 /);
    await stopped;
    assert.equal(submission.relay.log.named("message.accepted").length, 1);
  });
  test("wrong passwords are slow from the fifth on", async () => {
    await using submission = await startSubmission();
    const wrong = `AUTH PLAIN ${Buffer.from("\0alice@example.com\0falsch").toString("base64")}`;
    const wire = await submission.open();
    for (let count = 0; count < 4; count++) assert.match(await wire.ask(wrong), /^535 5\.7\.8 /);
    const before = performance.now();
    assert.match(await wire.ask(wrong), /^535 5\.7\.8 /);
    assert.ok(performance.now() - before > 900);
    assert.match(await wire.ask(LOGIN), /^235 /);
  });
});
