import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FrozenMail } from "../../src/settle/frozen-mail.ts";
import type { FrozenWhy, JournalEntry, RecipientChange } from "../../src/spool/spool.ts";
import type { SqliteSpool } from "../../src/spool/sqlite/sqlite.ts";
import { status } from "../../src/mail/status.ts";
import { alice, bob, inPlace, type Place, settled, store } from "../spool/sqlite/place.ts";
import { manualClock, type ManualClock } from "../support/clock.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const AFTER = 4 * DAY;
const REFUSED = status(550, "1.1", "No such user");

interface Played extends Place {
  readonly clock: ManualClock;
  readonly spool: SqliteSpool;
  /** A relay begins, or begins again. */
  readonly begin: () => FrozenMail;
}

function played(play: (played: Played) => Promise<void>): Promise<void> {
  return inPlace(async (place) => {
    const clock = manualClock();
    const spool = await place.open();
    const begin = () => {
      const frozen = new FrozenMail(AFTER, { spool, clock, log: place.log });
      frozen.start();
      return frozen;
    };
    await play({ ...place, clock, spool, begin });
    await spool.close();
  });
}

/** A message with a null sender whose two recipients are frozen for these reasons; undefined is one that is delivered. */
async function frozenFor(
  spool: SqliteSpool,
  ...whys: readonly (FrozenWhy | undefined)[]
): Promise<string> {
  const { envelope } = await store(spool, "x", true, { sender: null });
  const recipients = [alice, bob].map((_, position): RecipientChange => {
    const frozenWhy = whys[position];
    const common = { position, attempts: 1, nextAttempt: 7, lastStatus: REFUSED } as const;
    return frozenWhy === undefined
      ? { ...common, state: "delivered" }
      : { ...common, state: "frozen", frozenWhy };
  });
  const journal: JournalEntry[] = [];
  await spool.settle(settled(envelope.id, "frozen", { recipients, journal }));
  return envelope.id;
}

/** Ten minutes at a time, as the relay looks. */
async function pass(time: number, clock: ManualClock, frozen: FrozenMail): Promise<void> {
  for (let passed = 0; passed < time; passed += HOUR / 6) {
    clock.advance(HOUR / 6);
    await frozen.passed();
  }
}

describe("mail that is frozen because nobody may be told", () => {
  it("ends after its time, with an event and a line on the postmaster's list", () =>
    played(async ({ clock, spool, begin, log }) => {
      const id = await frozenFor(spool, "nobody-to-tell");
      const frozen = begin();
      await pass(AFTER - HOUR, clock, frozen);
      assert.equal(await spool.count(), 1);
      await pass(HOUR, clock, frozen);
      assert.equal(await spool.count(), 0);
      assert.deepEqual(log.named("message.expired"), [
        { id, sender: "<>", recipients: ["alice@example.com"] },
      ]);
      const [entry, ...others] = (await spool.listed()).entries;
      assert.deepEqual(others, []);
      assert.equal(entry?.why, "nobody-to-tell");
      assert.equal(entry.recipient, "alice@example.com");
      assert.equal(entry.status, "550 5.1.1 No such user");
      await frozen.close();
    }));

  it("ends when its time has passed while the relay was busy, too", () =>
    played(async ({ clock, spool, begin }) => {
      await frozenFor(spool, "nobody-to-tell");
      const frozen = begin();
      clock.advance(AFTER);
      await frozen.passed();
      assert.equal(await spool.count(), 0);
      await frozen.close();
    }));

  for (const [what, whys] of [
    ["a copy", ["copy"]],
    ["what the postmaster has frozen", ["ordered"]],
    ["what a transport has frozen", ["delivery"]],
    ["a message with a copy beside it", ["nobody-to-tell", "copy"]],
    ["a message of which the postmaster has frozen a part", ["ordered", "nobody-to-tell"]],
  ] as const) {
    it(`is not ${what}: that stays`, () =>
      played(async ({ clock, spool, begin, log }) => {
        await frozenFor(spool, ...whys);
        const frozen = begin();
        await pass(AFTER + DAY, clock, frozen);
        assert.equal(await spool.count(), 1);
        assert.deepEqual(log.named("message.expired"), []);
        await frozen.close();
      }));
  }

  it("stays when the postmaster freezes it himself, and begins anew when he has thawed it", () =>
    played(async ({ clock, spool, begin }) => {
      const ordered = await frozenFor(spool, "nobody-to-tell");
      const thawed = await frozenFor(spool, "nobody-to-tell");
      const frozen = begin();
      await pass(AFTER - HOUR, clock, frozen);
      await spool.change("freeze", [ordered]);
      await spool.change("thaw", [thawed]);
      await spool.claim([thawed]);
      const again = { position: 0, state: "frozen", attempts: 2, nextAttempt: 7 } as const;
      const recipients = [{ ...again, frozenWhy: "nobody-to-tell" } as const];
      await spool.settle(settled(thawed, "frozen", { recipients }));
      await pass(AFTER - HOUR, clock, frozen);
      assert.equal(await spool.count(), 2);
      await pass(HOUR, clock, frozen);
      assert.equal(await spool.count(), 1);
      assert.equal((await spool.claim([ordered])).messages.length, 1);
      await frozen.close();
    }));

  it("grows no older by a clock that is set, and no younger", () =>
    played(async ({ clock, spool, begin }) => {
      await frozenFor(spool, "nobody-to-tell");
      const frozen = begin();
      clock.step(400 * DAY);
      await pass(AFTER - HOUR, clock, frozen);
      clock.step(-800 * DAY);
      assert.equal(await spool.count(), 1);
      await pass(HOUR, clock, frozen);
      assert.equal(await spool.count(), 0);
      await frozen.close();
    }));

  it("keeps its age over restarts, and does not age while no relay runs", () =>
    played(async ({ clock, spool, begin }) => {
      await frozenFor(spool, "nobody-to-tell");
      for (let runs = 0; runs < 95; runs++) {
        const frozen = begin();
        await frozen.passed();
        clock.advance(HOUR);
        await frozen.close();
        clock.advance(30 * DAY);
      }
      assert.equal(await spool.count(), 1);
      const frozen = begin();
      await pass(HOUR, clock, frozen);
      assert.equal(await spool.count(), 0);
      await frozen.close();
    }));

  it("ends, however much of it there is, and after a reload by the new time", () =>
    played(async ({ clock, spool, begin }) => {
      for (let count = 0; count < 120; count++) await frozenFor(spool, "nobody-to-tell");
      const frozen = begin();
      frozen.follow({ frozen_after: HOUR });
      await pass(HOUR, clock, frozen);
      assert.equal(await spool.count(), 0);
      await frozen.close();
    }));
});
