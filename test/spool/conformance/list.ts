// The postmaster's list: recipients that have not had their mail, of which no sender hears.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ListedWhy,
  LISTED_WHYS,
  type ListEntry,
  SpoolError,
} from "../../../src/spool/spool.ts";
import { enter, idsOf, type InSpool, newReport, type Place, settled } from "./place.ts";

const ENTRY: ListEntry = {
  why: "unvouched",
  at: 7,
  id: "0000000001",
  sender: "",
  recipient: '"b b"@b.test',
  status: "550 5.1.1 it's ☃",
};

async function list(place: Place, entries: readonly ListEntry[]): Promise<void> {
  const { envelope } = await enter(place, { active: true });
  const listed = { listed: entries };
  await place.spool.settle(settled(place.clock, envelope.id, "completed", listed));
}

const entriesOf = (why: ListedWhy, count: number) =>
  Array.from({ length: count }, () => ({ ...ENTRY, why }));

export function describeList(inSpool: InSpool): void {
  describe("the postmaster's list", () => {
    describeEntries(inSpool);
    describeSending(inSpool);
  });
}

function describeEntries(inSpool: InSpool): void {
  it(
    "is empty at first",
    inSpool(async ({ spool }) => {
      assert.deepEqual((await spool.listed()).entries, []);
    }),
  );

  it(
    "has what settlements brought, in order, after a restart too",
    inSpool(async (place) => {
      const entries = LISTED_WHYS.map((why, at) => ({ ...ENTRY, why, at, original: "c@d.test" }));
      await list(place, entries);
      await list(place, [ENTRY]);
      const spool = await place.again();
      assert.deepEqual((await spool.listed()).entries, [...entries, ENTRY]);
    }),
  );

  it(
    "has a room for each reason, so that forged senders crowd nothing else out",
    inSpool(async (place) => {
      await list(place, entriesOf("unvouched", 500));
      await list(place, entriesOf("alias-member", 200));
      await list(place, entriesOf("alias-member", 1));
      const { entries, more } = await place.spool.listed();
      assert.equal(entries.length, 400);
      assert.deepEqual(more, { unvouched: 300, "alias-member": 1 });
    }),
  );

  it(
    "holds of each text only its beginning",
    inSpool(async (place) => {
      const long = "y".repeat(10_000);
      const all = { id: long, sender: long, recipient: long, original: long, status: long };
      await list(place, [{ ...ENTRY, ...all }]);
      const [{ why: _, at: __, ...texts } = ENTRY] = (await place.spool.listed()).entries;
      assert.deepEqual(Object.values(texts), Array(5).fill("y".repeat(320)));
    }),
  );
}

function describeSending(inSpool: InSpool): void {
  it(
    "leaves with the message that tells of it; what came meanwhile stays",
    inSpool(async (place) => {
      const { spool, clock } = place;
      await list(place, entriesOf("unvouched", 203));
      const sent = await spool.listed();
      await list(place, entriesOf("unvouched", 2));
      await list(place, entriesOf("alias-member", 1));
      const id = spool.nextId();
      await spool.sendList(newReport(id, clock, "the list"), sent);
      const left = await spool.listed();
      assert.deepEqual(left.entries, entriesOf("alias-member", 1));
      assert.deepEqual(left.more, { unvouched: 2 });
      const [taken, ...others] = await (await place.again()).take(clock.now(), 10);
      assert.deepEqual([taken?.envelope.id, others], [id, []]);
      assert.equal(taken?.body.inline?.toString(), "the list");
    }),
  );

  it(
    "has room again when it was sent, and is sent again",
    inSpool(async (place) => {
      const { spool, clock } = place;
      for (let round = 0; round < 3; round++) {
        await list(place, entriesOf("unvouched", 201));
        const sent = await spool.listed();
        assert.equal(sent.entries.length, 200);
        assert.deepEqual(sent.more, { unvouched: 1 });
        await spool.sendList(newReport(spool.nextId(), clock, "x"), sent);
        assert.deepEqual((await spool.listed()).entries, []);
      }
    }),
  );

  it(
    "stays when the message that tells of it cannot be stored",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const { envelope } = await enter(place);
      await list(place, [ENTRY]);
      const sent = await spool.listed();
      await assert.rejects(spool.sendList(newReport(envelope.id, clock, "x"), sent), SpoolError);
      assert.deepEqual(await spool.listed(), sent);
      assert.deepEqual(idsOf(await spool.take(clock.now(), 10)), [envelope.id]);
    }),
  );
}
