// Clients that take their time, and more of them than there are slots.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { manualClock } from "../../support/clock.ts";
import { Wire } from "../../support/wire.ts";
import { sendAs, startSubmission } from "./relay.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const TEXT = "From: alice@example.com\r\n\r\nx";

/** Until the relay has read what was sent. */
async function arrived(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
}

describe("a client of submission is cut off", () => {
  test("three minutes after it came, if it has not logged in, however busy it is", async () => {
    const clock = manualClock();
    await using submission = await startSubmission("none", "", clock);
    const wire = await submission.open();
    const silent = await submission.open();
    for (let passed = 0; passed < 170; passed += 34) {
      clock.advance(34 * SECOND);
      assert.match(await wire.ask("NOOP"), /^250/);
    }
    clock.advance(12 * SECOND);
    assert.match(await wire.closed(), /^421 4\.4\.2 Timeout/);
    assert.match(await silent.closed(), /^421 4\.4\.2 Timeout/);
  });

  test("in the middle of AUTH, if its lines come octet by octet", async () => {
    const clock = manualClock();
    await using submission = await startSubmission("none", "", clock);
    const wire = await submission.open();
    assert.match(await wire.ask("AUTH LOGIN"), /^334 /);
    for (let minute = 0; minute < 4; minute++) {
      wire.send("Y");
      await arrived();
      clock.advance(MINUTE);
    }
    assert.match(await wire.closed(), /^421 4\.4\.2 Timeout/);
  });

  test("without a word, if it does not shake hands", async () => {
    const clock = manualClock();
    await using submission = await startSubmission("implicit", "", clock);
    const wire = await Wire.open(submission.relay.port);
    wire.send("\x16\x03");
    await arrived();
    clock.advance(32 * SECOND);
    assert.equal(await wire.closed(), "");
  });

  test("when a command drips octet by octet", async () => {
    const clock = manualClock();
    await using submission = await startSubmission("none", "", clock);
    const wire = await submission.login();
    for (let minute = 0; minute < 6; minute++) {
      wire.send("N");
      await arrived();
      clock.advance(MINUTE);
    }
    assert.match(await wire.closed(), /^421 4\.4\.2 Timeout/);
  });

  for (const [rate, minutes] of [
    [100, 3],
    [0, 31],
  ] as const) {
    test(`when a message drips octet by octet, with data_rate_min = ${rate}`, async () => {
      const clock = manualClock();
      const relay = `[relay]\nhostname = "mx.example.com"\nspool_directory = "spool"\ndata_rate_min = ${rate}`;
      await using submission = await startSubmission("none", relay, clock);
      const wire = await submission.login();
      await wire.ask("MAIL FROM:<alice@example.com>");
      await wire.ask("RCPT TO:<bob@example.com>");
      assert.match(await wire.ask("DATA"), /^354/);
      for (let minute = 0; minute < minutes; minute++) {
        wire.send("x");
        await arrived();
        clock.advance(MINUTE);
      }
      assert.match(await wire.closed(), /^421 4\.4\.2 Timeout/);
      assert.equal(submission.relay.log.named("message.accepted").length, 0);
    });
  }

  test("in a transaction that does not come to DATA", async () => {
    const clock = manualClock();
    await using submission = await startSubmission("none", "", clock);
    const wire = await submission.login();
    await wire.ask("MAIL FROM:<alice@example.com>");
    for (let minutes = 0; minutes < 28; minutes += 4) {
      clock.advance(4 * MINUTE);
      assert.match(await wire.ask("NOOP"), /^250/);
    }
    clock.advance(4 * MINUTE);
    assert.match(await wire.closed(), /^421 4\.4\.2 Timeout/);
  });

  test("at the end of the session; the message under way comes in", async () => {
    const clock = manualClock();
    await using submission = await startSubmission("none", "", clock);
    const [idle, busy] = [await submission.login(), await submission.login()];
    for (let minutes = 0; minutes < 116; minutes += 4) {
      clock.advance(4 * MINUTE);
      for (const wire of [idle, busy]) assert.match(await wire.ask("NOOP"), /^250/);
    }
    await busy.ask("MAIL FROM:<alice@example.com>");
    clock.advance(4 * MINUTE + SECOND);
    assert.match(await idle.closed(), /^421 4\.4\.2 Timeout/);
    assert.match(await busy.ask("RCPT TO:<bob@example.com>"), /^250/);
    assert.match(await busy.ask("DATA"), /^354/);
    busy.send(`${TEXT}\r\n.\r\nMAIL FROM:<alice@example.com>\r\n`);
    assert.match(await busy.closed(), /^250 2\.0\.0 [^\n]*\n421 4\.4\.2 Timeout[^\n]*\n$/);
  });
});

test("connections have a limit for each client and in all, and take none of port 25", async () => {
  const relay = `[[listeners]]
address = "127.0.0.1:0"
[relay]
hostname = "mx.example.com"
spool_directory = "spool"
connections_per_client_max = 2
connections_max = 4`;
  await using submission = await startSubmission("none", relay);
  const open = async (from: string) => {
    const wire = await Wire.open(submission.relay.port, "127.0.0.1", from);
    return (await wire.reply()).slice(0, 9);
  };
  const logged = await submission.login();
  assert.match(await open("127.0.0.1"), /^220/);
  assert.equal(await open("127.0.0.1"), "421 4.7.0");
  for (const _ of ["third", "fourth"]) assert.match(await open("127.0.0.2"), /^220/);
  assert.equal(await open("127.0.0.3"), "421 4.7.0");
  const port = Number(submission.relay.relay.addresses[1]?.split(":").at(-1));
  const smtp = await Wire.open(port, "127.0.0.1", "127.0.0.3");
  assert.match(await smtp.reply(), /^220/);
  assert.match(await sendAs(logged, TEXT), /^250/);
  const refused = submission.relay.log.named("session.refused");
  assert.deepEqual(
    refused.map(({ why }) => why),
    ["limit per client", "limit in all"],
  );
});
