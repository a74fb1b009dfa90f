import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limitRates } from "../../src/receive/client-rates.ts";
import type { Reception } from "../../src/smtp/reception.ts";
import { status } from "../../src/status.ts";
import { manualClock } from "../support/clock.ts";
import { mailbox } from "../support/message.ts";
import { recordingLog } from "../support/services.ts";

const MINUTE = 60_000;
const REQUEST = { sender: null, eightBit: false, smtputf8: false };

const willing: Reception = {
  connect: () => undefined,
  mail: async () => ({
    recipient: () => status(250, "1.5", "ok"),
    message: () => assert.fail("no message in this test"),
  }),
};

function aMinute(count: number | undefined) {
  return count === undefined ? undefined : { count, window: MINUTE };
}

function door(messages: number | undefined, recipients?: number) {
  const clock = manualClock();
  const log = recordingLog();
  const reception = limitRates(willing, {
    messages: aMinute(messages),
    recipients: aMinute(recipients),
    isExempt: (address) => address === "192.0.2.1",
    clock,
    log,
  });
  const mail = async (address: string) => reception.mail({ address, helo: "x.test" }, REQUEST);
  const isTaken = async (address: string) => !("code" in (await mail(address)));
  return { clock, log, reception, mail, isTaken };
}

describe("messages of one client", () => {
  test("pass at once up to the rate, then evenly, and others are not concerned", async () => {
    const { clock, isTaken, log } = door(3);
    for (let n = 0; n < 3; n++) assert.equal(await isTaken("203.0.113.9"), true);
    assert.equal(await isTaken("203.0.113.9"), false);
    assert.equal(await isTaken("203.0.113.10"), true);
    assert.equal(log.named("session.refused").length, 1);
    clock.advance(MINUTE / 3);
    assert.equal(await isTaken("203.0.113.9"), true);
    assert.equal(await isTaken("203.0.113.9"), false);
    clock.advance(MINUTE);
    for (let n = 0; n < 3; n++) assert.equal(await isTaken("203.0.113.9"), true);
  });

  test("are counted for the whole /64 of an IPv6 address", async () => {
    const { isTaken } = door(1);
    assert.equal(await isTaken("2001:db8::1"), true);
    assert.equal(await isTaken("2001:db8::ffff:2"), false);
    assert.equal(await isTaken("2001:db8:0:1::1"), true);
  });

  test("have no limit for the hosts of a relay rule", async () => {
    const { isTaken } = door(1);
    for (let n = 0; n < 10; n++) assert.equal(await isTaken("192.0.2.1"), true);
  });

  test("are put off with a reply that says so", async () => {
    const { mail } = door(1);
    await mail("203.0.113.9");
    assert.deepEqual(
      await mail("203.0.113.9"),
      status(450, "7.1", "Too much mail from your address, try again later"),
    );
  });
});

test("recipients have a rate of their own", async () => {
  const { mail } = door(undefined, 2);
  const transaction = await mail("203.0.113.9");
  assert.ok(!("code" in transaction));
  const replies = [];
  for (const name of ["a", "b", "c"]) {
    replies.push(await transaction.recipient({ mailbox: mailbox(`${name}@example.com`) }));
  }
  assert.deepEqual(
    replies.map(({ code }) => code),
    [250, 250, 450],
  );
});

test("without a rate nothing stands between", () => {
  assert.equal(door(undefined).reception, willing);
});
