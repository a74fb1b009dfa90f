// What waits for a host or for the end of a hold, and what is known of hosts.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { status } from "../../../src/mail/status.ts";
import type { RecipientChange } from "../../../src/spool/spool.ts";
import { alice, bob, enter, HOUR, idsOf, type InSpool, settled, stored, waiting } from "./place.ts";

export function describeWaiting(inSpool: InSpool): void {
  describe("what waits for a host", () => {
    describeWake(inSpool);
    describeHints(inSpool);
  });
  describe("a domain on hold", () => describeHolds(inSpool));
  describe("a transport on hold", () => describeWithheld(inSpool));
}

const MX: Partial<RecipientChange> = {
  waitsFor: { key: "mx.test [192.0.2.1]", host: "mx.test" },
  waitsBecause: "it is down",
};
const KEY = "mx.test [192.0.2.1]";
const LATER = status(451, "4.1", "later");
const STRANGE = ["__proto__", "it's", "", "a\nb", "☃ [::1]", "%", KEY.toUpperCase()];

function describeWake(inSpool: InSpool): void {
  it(
    "is due when the host is back, and begins no new retry rules",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const id = await waiting(place, [{ ...MX, lastStatus: LATER }, {}]);
      clock.advance(1000);
      assert.equal(await spool.wake(KEY, 10), 1);
      assert.equal(await spool.wake(KEY, 10), 0);
      assert.equal(await spool.nextDue(), clock.now());
      const [taken] = await spool.take(clock.now(), 10);
      assert.equal(taken?.envelope.id, id);
      const [woken, other] = taken.recipients;
      assert.deepEqual(woken, {
        mailbox: alice,
        position: 0,
        state: "pending",
        attempts: 1,
        lastStatus: LATER,
        firstFailure: clock.now() - 1001,
        nextAttempt: clock.now(),
      });
      assert.equal(other?.nextAttempt, clock.now() - 1000 + HOUR);
    }),
  );

  it(
    "is woken from the oldest on, so many recipients at once",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const [first, second] = [await waiting(place, [MX, MX]), await waiting(place, [MX, MX])];
      assert.equal(await spool.wake(KEY, 0), 0);
      assert.equal(await spool.wake(KEY, 3), 3);
      assert.deepEqual(idsOf(await spool.take(clock.now(), 10)), [first, second]);
      const message = await stored(place, second);
      assert.deepEqual(
        message?.recipients.map(({ waitsFor }) => waitsFor),
        [undefined, MX.waitsFor],
      );
      assert.equal(await spool.wake(KEY, 10), 1);
    }),
  );

  it(
    "is not made later than it was",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const due = clock.now() + 5;
      const id = await waiting(place, [{ ...MX, nextAttempt: due }, {}]);
      clock.advance(1000);
      await spool.wake(KEY, 10);
      assert.equal((await stored(place, id))?.recipients[0]?.nextAttempt, due);
    }),
  );

  it(
    "is not what has had its end, is frozen or is under attempt",
    inSpool(async (place) => {
      const { spool } = place;
      await waiting(place, [{ ...MX, state: "delivered" }, {}]);
      await spool.change("freeze", [await waiting(place, [MX, MX])]);
      assert.equal(await spool.wake(KEY, 10), 0);
      const id = await waiting(place, [MX, {}]);
      await spool.claim([id]);
      assert.equal(await spool.wake(KEY, 10), 1);
      assert.equal((await stored(place, id))?.state, "active");
    }),
  );

  it(
    "is found by the whole key, whatever stands in it",
    inSpool(async (place) => {
      const { spool } = place;
      await waiting(place, [MX, {}]);
      for (const key of STRANGE) assert.equal(await spool.wake(key, 10), 0, key);
      for (const key of STRANGE) await waiting(place, [{ waitsFor: { key } }, {}]);
      for (const key of STRANGE) assert.equal(await spool.wake(key, 10), 1, key);
      assert.equal(await spool.wake(KEY, 10), 1);
    }),
  );

  it(
    "is known by its keys, each once, in order and no more than are asked for",
    inSpool(async (place) => {
      const { spool } = place;
      assert.deepEqual(await spool.awaited(10), []);
      for (const key of ["mx2", "mx1", "mx2"]) {
        await waiting(place, [{ waitsFor: { key } }, { waitsFor: { key, host: "h" } }]);
      }
      await waiting(place);
      assert.deepEqual(await spool.awaited(10), ["mx1", "mx2"]);
      assert.deepEqual(await spool.awaited(1), ["mx1"]);
      assert.deepEqual(await spool.awaited(0), []);
      await spool.wake("mx1", 2);
      assert.deepEqual(await spool.awaited(10), ["mx2"]);
    }),
  );
}

function describeHints(inSpool: InSpool): void {
  it(
    "has hints, which are replaced, forgotten and there after a restart",
    inSpool(async (place) => {
      const { spool } = place;
      const hint = { firstFailure: 1, nextTry: 2, savedAt: 3, status: LATER };
      const full = { ...hint, status: { ...LATER, remote: true, unsure: true } as const };
      for (const key of [...STRANGE, KEY]) await spool.saveHint(key, hint);
      await spool.saveHint(KEY, full);
      await spool.saveHint("it's", undefined);
      await spool.saveHint("it's", undefined);
      const kept = STRANGE.filter((key) => key !== "it's").map((key) => [key, hint] as const);
      const expected = new Map([...kept, [KEY, full]]);
      assert.deepEqual(await spool.hints(), expected);
      assert.deepEqual(await (await place.again()).hints(), expected);
    }),
  );
}

const HELD: Partial<RecipientChange> = { heldDomain: "b.test", waitsBecause: "on hold" };

function describeHolds(inSpool: InSpool): void {
  it(
    "is on hold from the first time on, until it is released, after a restart too",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const since = clock.now();
      await spool.hold("c.test");
      clock.advance(1000);
      await spool.hold("b.test");
      await spool.hold("c.test");
      const again = await place.again();
      assert.deepEqual(await again.holds(), ["b.test", "c.test"]);
      assert.deepEqual(await place.look((view) => view.holds()), [
        { domain: "b.test", since: since + 1000, messages: 0 },
        { domain: "c.test", since, messages: 0 },
      ]);
      assert.equal(await again.release("c.test", 10), 0);
      assert.equal(await again.release("c.test", 10), 0);
      assert.deepEqual(await again.holds(), ["b.test"]);
    }),
  );

  it(
    "makes due what waited for it when it is released, as if it had not been",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const id = await waiting(place, [
        { ...HELD, attempts: 0, lastStatus: LATER },
        { ...HELD, lastStatus: LATER },
      ]);
      await spool.hold("b.test");
      clock.advance(1000);
      assert.equal(await spool.release("c.test", 10), 0);
      assert.equal(await spool.release("b.test", 10), 2);
      const [taken] = await spool.take(clock.now(), 10);
      assert.equal(taken?.envelope.id, id);
      assert.deepEqual(taken.recipients, [
        { mailbox: alice, position: 0, state: "pending", attempts: 0, nextAttempt: clock.now() },
        {
          mailbox: bob,
          position: 1,
          state: "pending",
          attempts: 1,
          nextAttempt: clock.now(),
          lastStatus: LATER,
        },
      ]);
    }),
  );

  it(
    "lets so many go at once, the oldest first, and the others when their time has come",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const first = await waiting(place, [HELD, HELD]);
      const second = await waiting(place, [HELD, {}]);
      assert.equal(await spool.release("b.test", 1), 1);
      assert.deepEqual(idsOf(await spool.take(clock.now(), 10)), [first]);
      assert.equal(await spool.release("b.test", 10), 2);
      assert.deepEqual(idsOf(await spool.take(clock.now(), 10)), [second]);
    }),
  );

  it(
    "counts each message that waits for it, or will",
    inSpool(async (place) => {
      const { spool, clock } = place;
      await spool.hold("b.test");
      await enter(place);
      await enter(place, { active: true });
      await enter(place, { recipients: [{ mailbox: alice }] });
      await waiting(place, [HELD, HELD], { written: { recipients: [{ mailbox: alice }] } });
      const done = await enter(place, { active: true });
      await spool.settle(
        settled(clock, done.envelope.id, "queued", {
          recipients: [{ position: 1, state: "delivered", attempts: 1, nextAttempt: 0 }],
        }),
      );
      await spool.change("freeze", [(await enter(place)).envelope.id]);
      const [hold] = await place.look((view) => view.holds());
      assert.equal(hold?.messages, 3);
    }),
  );
}

const WITHHELD: Partial<RecipientChange> = {
  attempts: 0,
  heldTransport: "gmail",
  withheld: true,
  waitsBecause: "fail-over is on",
  lastStatus: LATER,
};

function describeWithheld(inSpool: InSpool): void {
  it(
    "is named by the recipients that wait for it, oldest first, in pages",
    inSpool(async (place) => {
      const { spool } = place;
      const first = await waiting(place, [WITHHELD, {}]);
      const second = await waiting(place, [WITHHELD, WITHHELD]);
      const all = await spool.withheld(10);
      assert.deepEqual(all, [
        { id: first, position: 0, address: alice.address },
        { id: second, position: 0, address: alice.address },
        { id: second, position: 1, address: bob.address },
      ]);
      assert.deepEqual(await spool.withheld(1), all.slice(0, 1));
      assert.deepEqual(await spool.withheld(10, all[0]), all.slice(1));
      assert.deepEqual(await spool.withheld(10, all[1]), all.slice(2));
    }),
  );

  it(
    "makes those due that are released, with new retry rules, and they stay marked",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const id = await waiting(place, [{ ...WITHHELD, attempts: 4 }, WITHHELD]);
      clock.advance(1000);
      await spool.releaseWithheld([
        { id, position: 0 },
        { id: "0000000001", position: 0 },
      ]);
      assert.equal(await spool.nextDue(), clock.now());
      assert.deepEqual(await spool.releasedWithheld(10), {
        untried: [{ id, position: 0, address: alice.address }],
        atHosts: 0,
      });
      const [taken] = await spool.take(clock.now(), 10);
      const [released, other] = taken?.recipients ?? [];
      assert.deepEqual(released, {
        mailbox: alice,
        position: 0,
        state: "pending",
        attempts: 0,
        nextAttempt: clock.now(),
        withheld: true,
      });
      assert.deepEqual([other?.heldTransport, other?.waitsBecause], ["gmail", "fail-over is on"]);
      assert.deepEqual(
        (await spool.withheld(10)).map(({ position }) => position),
        [1],
      );
    }),
  );

  it(
    "makes those due by force that are to test a host",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const id = await waiting(place, [WITHHELD]);
      await spool.releaseWithheld([{ id, position: 0 }], true);
      const [taken] = await spool.take(clock.now(), 10);
      assert.equal(taken?.recipients[0]?.forced, true);
    }),
  );

  it(
    "counts released mail that waits for a host",
    inSpool(async (place) => {
      const { spool } = place;
      const id = await waiting(place, [{ ...MX, attempts: 0, withheld: true }, { ...MX }]);
      await waiting(place, [
        { attempts: 2, withheld: true },
        { waitsFor: { key: "account" }, withheld: true },
      ]);
      const untried = [{ id, position: 0, address: alice.address }];
      assert.deepEqual(await spool.releasedWithheld(10), { untried, atHosts: 1 });
      assert.deepEqual(await spool.releasedWithheld(0), { untried: [], atHosts: 1 });
    }),
  );

  it(
    "is told to mail that waits for a retry time, and not to mail on hold",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const hastened = await waiting(place, [{ waitsFor: { key: "x" } }, {}]);
      const held = await waiting(place, [WITHHELD, { heldDomain: "example.org" }]);
      clock.advance(1000);
      assert.equal(await spool.hasten(1), hastened);
      assert.equal(await spool.hasten(1, hastened), held);
      assert.equal(await spool.hasten(1, held), undefined);
      assert.deepEqual(idsOf(await spool.take(clock.now(), 10)), [hastened]);
    }),
  );

  it(
    "does not send mail by an order to retry",
    inSpool(async (place) => {
      const { spool } = place;
      const id = await waiting(place, [WITHHELD, WITHHELD]);
      assert.deepEqual(await spool.change("retry", [id]), [{ id, result: "held" }]);
    }),
  );
}
