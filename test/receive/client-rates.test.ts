import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limitRates } from "../../src/receive/client-rates.ts";
import type { Reception } from "../../src/smtp/server/reception.ts";
import { status } from "../../src/mail/status.ts";
import { manualClock } from "../support/clock.ts";
import { mailbox } from "../support/build.ts";
import { recordingLog } from "../support/services.ts";

const MINUTE = 60_000;
const REQUEST = { sender: null, eightBit: false, smtputf8: false };

const willing: Reception = {
  connect: () => undefined,
  mail: async () => ({
    recipient: ({ mailbox: { localPart } }) =>
      localPart === "nobody" ? status(550, "1.1", "Unknown user") : status(250, "1.5", "ok"),
    message: () => assert.fail("no message in this test"),
  }),
};

function aMinute(count: number | undefined) {
  return count === undefined ? undefined : { count, window: MINUTE };
}

function door(messages: number | undefined, recipients?: number, refusedRecipients?: number) {
  const clock = manualClock();
  const log = recordingLog();
  const reception = limitRates(willing, {
    messages: aMinute(messages),
    recipients: aMinute(recipients),
    refusedRecipients: aMinute(refusedRecipients),
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

  test("are not put off for a day because the clock was a day ahead", async () => {
    const { clock, isTaken } = door(1);
    clock.step(24 * 60 * MINUTE);
    assert.equal(await isTaken("203.0.113.9"), true);
    clock.step(-24 * 60 * MINUTE);
    assert.equal(await isTaken("203.0.113.9"), false);
    clock.advance(MINUTE);
    assert.equal(await isTaken("203.0.113.9"), true);
  });

  test("are no more because the clock was set ahead", async () => {
    const { clock, isTaken } = door(1);
    assert.equal(await isTaken("203.0.113.9"), true);
    clock.step(400 * 24 * 60 * MINUTE);
    assert.equal(await isTaken("203.0.113.9"), false);
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

async function ask({ mail }: ReturnType<typeof door>, name: string, address: string) {
  const transaction = await mail(address);
  if ("code" in transaction) return transaction.code;
  return (await transaction.recipient({ mailbox: mailbox(`${name}@example.com`) })).code;
}

describe("recipients that are refused", () => {
  test("put their client off for a while, over all its sessions, and nobody else", async () => {
    const here = door(undefined, undefined, 3);
    for (let n = 0; n < 3; n++) assert.equal(await ask(here, "nobody", "203.0.113.9"), 550);
    assert.equal(await ask(here, "alice", "203.0.113.9"), 450);
    assert.equal(await ask(here, "alice", "203.0.113.10"), 250);
    assert.match(
      JSON.stringify(here.log.named("session.refused")),
      /refused_recipients_per_client_rate/,
    );
    here.clock.advance(MINUTE / 3);
    assert.equal(await ask(here, "alice", "203.0.113.9"), 250);
    assert.equal(await ask(here, "nobody", "203.0.113.9"), 550);
    assert.equal(await ask(here, "nobody", "203.0.113.9"), 450);
  });

  test("end what a transaction under way can find out", async () => {
    const here = door(undefined, undefined, 2);
    const transaction = await here.mail("203.0.113.9");
    assert.ok(!("code" in transaction));
    const codes = [];
    for (const name of ["nobody", "nobody", "nobody", "alice"]) {
      codes.push((await transaction.recipient({ mailbox: mailbox(`${name}@example.com`) })).code);
    }
    assert.deepEqual(codes, [550, 550, 450, 450]);
  });

  test("are not held against those that exist, or against the hosts of a relay rule", async () => {
    const here = door(undefined, undefined, 3);
    for (let n = 0; n < 20; n++) assert.equal(await ask(here, "alice", "203.0.113.9"), 250);
    for (let n = 0; n < 20; n++) assert.equal(await ask(here, "nobody", "192.0.2.1"), 550);
  });
});

test("without a rate nothing stands between", () => {
  assert.equal(door(undefined).reception, willing);
});
