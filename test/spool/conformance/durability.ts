// One relay to a spool, and what the next one finds in it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SpoolInUse } from "../../../src/spool/spool.ts";
import {
  assertBytes,
  enter,
  HOUR,
  idsOf,
  type InSpool,
  newMessage,
  settled,
  waiting,
} from "./place.ts";

export function describeDurability(inSpool: InSpool): void {
  describe("a spool that is opened again", () => {
    describeOneRelay(inSpool);
    describeInterrupted(inSpool);
    describeAhead(inSpool);
    describeKilled(inSpool);
  });
}

function describeOneRelay(inSpool: InSpool): void {
  it(
    "has one relay at a time",
    inSpool(async ({ spool, open }) => {
      await assert.rejects(open(), SpoolInUse);
      await assert.rejects(open(), SpoolInUse);
      await spool.close();
      await spool.close();
      await (await open()).close();
      await (await open()).close();
    }),
  );
}

function describeInterrupted(inSpool: InSpool): void {
  it(
    "makes due what no relay has settled, and says so",
    inSpool(async (place) => {
      const { envelope } = await enter(place, { active: true, content: Buffer.alloc(100_000) });
      await enter(place, { active: true });
      const later = await waiting(place);
      const spool = await place.again();
      assert.deepEqual(place.log.named("spool.recovered"), [
        { messages: 0, in_flight: 0 },
        { messages: 3, in_flight: 2 },
      ]);
      const taken = await spool.take(place.clock.now(), 10);
      assert.equal(taken.length, 2);
      assert.ok(taken.every(({ interrupted }) => interrupted === true));
      assert.equal(taken[0]?.envelope.id, envelope.id);
      await spool.settle(settled(place.clock, envelope.id, "frozen"));
      const [message] = (await spool.claim([later])).messages;
      assert.equal(message?.interrupted, undefined);
    }),
  );

  it(
    "lets a message wait that was under attempt at each end, twice as long each time",
    inSpool(async (place) => {
      await enter(place, { active: true });
      const waits: number[] = [];
      for (let ends = 0; ends < 17; ends++) {
        const spool = await place.again();
        const due = await spool.nextDue();
        const wait = (due ?? 0) - place.clock.now();
        waits.push(wait);
        assert.equal((await spool.take(place.clock.now() + wait, 10)).length, 1);
      }
      const doubled = Array.from({ length: 10 }, (_, index) => 2000 * 2 ** index);
      assert.deepEqual(waits, [0, 0, 0, 0, 0, ...doubled, 1_024_000, 1_024_000]);
    }),
  );
}

function describeAhead(inSpool: InSpool): void {
  it(
    "makes due what was under attempt when the clock was ahead, with all its recipients",
    inSpool(async (place) => {
      const { clock } = place;
      const again = await waiting(place);
      const { envelope } = await enter(place, { active: true });
      clock.advance(HOUR);
      assert.deepEqual(idsOf(await place.spool.take(clock.now(), 10)), [again]);
      clock.step(-24 * HOUR);
      const spool = await place.again();
      const taken = await spool.take(clock.now(), 10);
      assert.deepEqual(idsOf(taken).toSorted(), [again, envelope.id].toSorted());
      for (const { nextAttempt } of taken.flatMap(({ recipients }) => recipients))
        assert.ok(nextAttempt <= clock.now());
    }),
  );
}

function describeKilled(inSpool: InSpool): void {
  it(
    "has all that was promised when its relay was killed, and nothing that was not",
    inSpool(async (place) => {
      const { killed, spool, clock, open } = place;
      if (killed === undefined) return;
      const large = Buffer.alloc(300_000, "large ");
      const contents = [Buffer.from("x"), Buffer.alloc(200_000, "neither "), large];
      const stored = await Promise.all(contents.map((content) => enter(place, { content })));
      const done = await enter(place, { active: true, content: large });
      await spool.settle(settled(clock, done.envelope.id, "completed"));
      await spool.hold("b.test");
      const incoming = spool.receive(spool.nextId());
      await incoming.write(large);
      const after = await open(await killed());
      const taken = await after.take(clock.now(), 10);
      assert.deepEqual(idsOf(taken).toSorted(), idsOf(stored).toSorted());
      for (const message of taken) {
        const expected = contents.find(({ length }) => length === message.envelope.size);
        await assertBytes(message, expected);
      }
      assert.deepEqual(await after.holds(), ["b.test"]);
      incoming.abort();
    }),
  );

  it(
    "has a message whose commit was answered last",
    inSpool(async (place) => {
      const { killed, spool, clock, open } = place;
      if (killed === undefined) return;
      for (const size of [10, 100_000, 300_000]) {
        const id = spool.nextId();
        const incoming = spool.receive(id);
        await incoming.write(Buffer.alloc(size, "z"));
        await incoming.commit(newMessage(id, clock), true);
        const after = await open(await killed());
        const taken = (await after.take(clock.now(), 10)).find(
          ({ envelope }) => envelope.id === id,
        );
        assert.ok(taken);
        await assertBytes(taken, Buffer.alloc(size, "z"));
        assert.equal(taken.interrupted, true);
      }
    }),
  );
}
