// What is due: in which order, to whom, and what a clock that is set does to it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LONGEST_WAIT } from "../../../src/spool/longest-wait.ts";
import { status } from "../../../src/mail/status.ts";
import {
  change,
  enter,
  HOUR,
  idsOf,
  type InSpool,
  type Place,
  settled,
  stored,
  waiting,
} from "./place.ts";

export function describeDue(inSpool: InSpool): void {
  describe("what is due", () => {
    describeOrder(inSpool);
    describeTakers(inSpool);
    describeClock(inSpool);
  });
}

/** A message whose first recipient is due in so many milliseconds, and the second later. */
function dueIn(place: Place, wait: number): Promise<string> {
  const nextAttempt = place.clock.now() + wait;
  return waiting(place, [{ nextAttempt }, { nextAttempt: nextAttempt + HOUR }]);
}

function describeOrder(inSpool: InSpool): void {
  it(
    "is taken by its time, and by its arrival where that is the same",
    inSpool(async (place) => {
      const ids: string[] = [];
      for (const wait of [30, 10, 20, 10, 0]) ids.push(await dueIn(place, wait));
      const [a, b, c, d, e] = ids;
      place.clock.advance(30);
      const { spool, clock } = place;
      assert.deepEqual(idsOf(await spool.take(clock.now(), 3)), [e, b, d]);
      assert.deepEqual(idsOf(await spool.take(clock.now(), 3)), [c, a]);
      assert.deepEqual(await spool.take(clock.now(), 3), []);
    }),
  );

  it(
    "is nothing before its time, and is there to the millisecond",
    inSpool(async (place) => {
      const { spool, clock } = place;
      assert.equal(await spool.nextDue(), undefined);
      await dueIn(place, 2000);
      const id = await dueIn(place, 1000);
      assert.equal(await spool.nextDue(), clock.now() + 1000);
      clock.advance(999);
      assert.deepEqual(await spool.take(clock.now(), 10), []);
      clock.advance(1);
      const [taken] = await spool.take(clock.now(), 10);
      assert.deepEqual([taken?.envelope.id, taken?.state], [id, "active"]);
      assert.equal(await spool.nextDue(), clock.now() + 1000);
    }),
  );

  it(
    "is never what is under attempt, frozen or gone",
    inSpool(async (place) => {
      const { spool, clock } = place;
      await enter(place, { active: true });
      await spool.change("freeze", [await dueIn(place, 0)]);
      await spool.change("remove", [await dueIn(place, 0)]);
      assert.equal(await spool.nextDue(), undefined);
      assert.deepEqual(await spool.take(clock.now() + HOUR, 10), []);
      assert.equal(await spool.count(), 2);
    }),
  );

  it(
    "stays when nobody takes it",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const id = await dueIn(place, 0);
      assert.deepEqual(await spool.take(clock.now(), 0), []);
      assert.equal(await spool.nextDue(), clock.now());
      assert.deepEqual(idsOf(await spool.take(clock.now(), 1)), [id]);
    }),
  );
}

function describeTakers(inSpool: InSpool): void {
  it(
    "is taken once, however many take at the same time",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const ids = await Promise.all(
        Array.from({ length: 60 }, async () => (await enter(place)).envelope.id),
      );
      const taken = await Promise.all(Array.from({ length: 10 }, () => spool.take(clock.now(), 7)));
      assert.deepEqual(taken.flatMap(idsOf).toSorted(), ids.toSorted());
      assert.ok(taken.every((some) => some.length <= 7));
    }),
  );

  it(
    "is recorded as under attempt before it is given out",
    inSpool(async (place) => {
      const id = await dueIn(place, 0);
      await place.spool.take(place.clock.now(), 1);
      assert.equal((await stored(place, id))?.state, "active");
    }),
  );
}

const LATER = status(451, "4.1", "later");

function describeClock(inSpool: InSpool): void {
  it(
    "is what a clock that was ahead has put off, as soon as it is set back",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const copy = {
        address: "a@b.test",
        router: "r",
        attempts: 1,
        lastStatus: LATER,
        firstFailure: clock.now(),
        nextAttempt: clock.now() + HOUR,
      };
      const mail = { nextAttempt: clock.now() + HOUR, waitsFor: { key: "mx" } };
      const id = await waiting(place, [{ clocks: { mail, copies: [copy] } }, {}]);
      const frozen = await waiting(place);
      await spool.change("freeze", [frozen]);
      clock.step(-4000);
      await spool.clockSet();
      assert.equal(await spool.nextDue(), clock.now() + 4000 + HOUR);
      clock.step(-2000);
      await spool.clockSet();
      const now = clock.now();
      const [taken] = await spool.take(now, 10);
      assert.equal(taken?.envelope.id, id);
      assert.deepEqual(
        taken.recipients.map(({ nextAttempt, firstFailure }) => [nextAttempt, firstFailure]),
        [
          [now, now],
          [now, now],
        ],
      );
      assert.deepEqual(taken.recipients[0]?.clocks, {
        mail: { ...mail, nextAttempt: now },
        copies: [{ ...copy, nextAttempt: now, firstFailure: now }],
      });
      const untouched = await stored(place, frozen);
      assert.equal(untouched?.recipients[0]?.nextAttempt, now + 6000 + HOUR);
    }),
  );

  it(
    "is what was settled by a clock that has been set back meanwhile",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const { envelope } = await enter(place, { active: true });
      const recipients = [change(clock, { position: 0 }), change(clock, { position: 1 })];
      const settlement = settled(clock, envelope.id, "queued", { recipients });
      clock.step(-HOUR);
      await spool.settle(settlement);
      assert.equal(await spool.nextDue(), clock.now());
      assert.deepEqual(idsOf(await spool.take(clock.now(), 10)), [envelope.id]);
    }),
  );

  it(
    "is what came in by such a clock",
    inSpool(async (place) => {
      const { envelope } = await enter(place, {
        envelope: { receivedAt: place.clock.now() + HOUR },
      });
      assert.deepEqual(idsOf(await place.spool.take(place.clock.now(), 10)), [envelope.id]);
    }),
  );

  it(
    "is what waits for longer than it can, behind all that is due in time",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const late = await dueIn(place, LONGEST_WAIT + 1);
      await dueIn(place, LONGEST_WAIT);
      const due = await dueIn(place, 0);
      assert.deepEqual(idsOf(await spool.take(clock.now(), 1)), [due]);
      const [taken, ...others] = await spool.take(clock.now(), 10);
      assert.deepEqual([taken?.envelope.id, others], [late, []]);
      assert.equal(taken?.recipients[1]?.nextAttempt, clock.now());
    }),
  );

  it(
    "is a recipient that such a clock has put off, when the attempt of another ends as the clock is set back",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const id = await dueIn(place, 0);
      assert.deepEqual(idsOf(await spool.take(clock.now(), 10)), [id]);
      clock.step(-24 * HOUR);
      const recipients = [change(clock, { position: 0 })];
      await spool.settle(settled(clock, id, "queued", { recipients }));
      await spool.clockSet();
      const [taken] = await spool.take(clock.now(), 10);
      assert.equal(taken?.recipients[1]?.nextAttempt, clock.now());
    }),
  );

  it(
    "is what such a clock has put off, after a restart",
    inSpool(async (place) => {
      const id = await dueIn(place, HOUR);
      place.clock.step(-HOUR);
      const spool = await place.again();
      assert.deepEqual(idsOf(await spool.take(place.clock.now(), 10)), [id]);
    }),
  );
}
