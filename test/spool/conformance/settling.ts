// What an attempt has changed is written as it says, all of it or nothing.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { status } from "../../../src/mail/status.ts";
import {
  FROZEN_WHYS,
  type JournalEntry,
  type RecipientChange,
  SpoolError,
} from "../../../src/spool/spool.ts";
import {
  bytesOf,
  change,
  enter,
  idsOf,
  type InSpool,
  newReport,
  type Place,
  settled,
  statesOf,
  stored,
  waiting,
  withoutBody,
} from "./place.ts";

export function describeSettling(inSpool: InSpool): void {
  describe("a settlement", () => {
    describeRecipients(inSpool);
    describeJournal(inSpool);
    describeWhole(inSpool);
  });
}

const LATER = { ...status(451, "4.1", "später"), remote: true, bare: true } as const;

/** Changes of every kind, by what they are. */
function changes(place: Place): Readonly<Record<string, Partial<RecipientChange>>> {
  const now = place.clock.now();
  const copy = {
    address: '"b b"@b.test',
    router: "copy",
    attempts: 3,
    firstFailure: now - 5,
    nextAttempt: now + 1000,
    lastStatus: { ...LATER, unsure: true } as const,
  };
  const host = { key: "mx.b.test [192.0.2.1]", host: "mx.b.test" };
  return {
    "nothing but its state": { state: "delivered" },
    "a failure": { state: "failed", lastStatus: LATER, attempts: 7 },
    "a host that it waits for": { waitsFor: host, waitsBecause: "it is down" },
    "an account that it waits for": { waitsFor: { key: "bob@example.com" } },
    "a hold": { heldDomain: "b.test", lastStatus: LATER },
    "copies with clocks of their own": {
      clocks: {
        mail: { nextAttempt: now + 2000, waitsFor: host },
        copies: [
          copy,
          { ...copy, place: "/var/mail/b", others: [1, 2], waitsFor: { key: "maildir /v" } },
          { ...copy, heldDomain: "b.test" },
        ],
      },
    },
    "copies alone": { clocks: { copies: [] }, mailDone: true },
    ...Object.fromEntries(
      FROZEN_WHYS.map((frozenWhy) => [`frozen: ${frozenWhy}`, { state: "frozen", frozenWhy }]),
    ),
  };
}

function describeRecipients(inSpool: InSpool): void {
  it(
    "is what is read of the recipient, after a restart too",
    inSpool(async (place) => {
      for (const [what, given] of Object.entries(changes(place))) {
        const id = await waiting(place, [{}, given]);
        const message = await stored(place, id);
        const { mailbox } = message?.recipients[1] ?? {};
        const expected = { mailbox, ...change(place.clock, { position: 1, ...given }) };
        assert.deepEqual(message?.recipients[1], expected, what);
        await place.spool.change("freeze", [id], { domain: "nobody.test" });
      }
      const before = await place.look((view) => Array.fromAsync(view.messages({}, assert.fail)));
      await place.again();
      const after = await place.look((view) => Array.fromAsync(view.messages({}, assert.fail)));
      assert.deepEqual(
        after.flat().map(({ recipients }) => recipients),
        before.flat().map(({ recipients }) => recipients),
      );
    }),
  );

  it(
    "takes away what it does not say, and carries an order out",
    inSpool(async (place) => {
      const { spool, clock } = place;
      for (const [what, given] of Object.entries(changes(place))) {
        const id = await waiting(place, [given, {}]);
        await spool.change("retry", [id]);
        await spool.claim([id]);
        const { firstFailure: _, ...plain } = change(clock, { position: 0 });
        await spool.settle(settled(clock, id, "queued", { recipients: [plain] }));
        const message = await stored(place, id);
        const { mailbox } = message?.recipients[0] ?? {};
        assert.deepEqual(message?.recipients[0], { mailbox, ...plain }, what);
        assert.equal(message.recipients[1]?.forced, true);
      }
    }),
  );

  it(
    "touches no recipient that it does not name, and none that is not there",
    inSpool(async (place) => {
      const { envelope, recipients } = await enter(place, { active: true });
      const given = [change(place.clock, { position: 1 }), change(place.clock, { position: 2 })];
      await place.spool.settle(settled(place.clock, envelope.id, "queued", { recipients: given }));
      const message = await stored(place, envelope.id);
      assert.deepEqual(message?.recipients[0], recipients[0]);
      assert.equal(message?.recipients.length, 2);
    }),
  );

  it(
    "keeps warnings, and what is known of the sender",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const id = await waiting(place, [{}], { warnings: 2, vouched: true, vouchTries: 3 });
      const known = async () => {
        const { warnings, vouched, vouchTries } = (await stored(place, id)) ?? {};
        return [warnings, vouched, vouchTries];
      };
      assert.deepEqual(await known(), [2, true, 3]);
      await spool.settle(settled(clock, id, "queued", { warnings: 3 }));
      assert.deepEqual(await known(), [3, true, 3]);
      await spool.settle(settled(clock, id, "queued", { vouched: false }));
      await place.again();
      assert.deepEqual(await known(), [0, false, 3]);
    }),
  );
}

const ENTRY: JournalEntry = {
  target: "b b@b.test",
  position: 1,
  address: '"b b"@b.test',
  router: "world",
  transport: "smtp",
  outcome: "delivered",
  at: 5,
};

function describeJournal(inSpool: InSpool): void {
  it(
    "adds to the journal, one entry of each target and kind",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const copy = { ...ENTRY, unseen: true, at: 6, target: "/var/mail/b" } as const;
      const sameName = { ...ENTRY, unseen: true, at: 7 } as const;
      const id = await waiting(place, [], { journal: [ENTRY, copy, sameName] });
      assert.deepEqual((await stored(place, id))?.journal, [ENTRY, copy, sameName]);
      const frozen = { ...ENTRY, outcome: "frozen", homonym: true, position: 0, at: 8 } as const;
      await spool.settle(settled(clock, id, "queued", { journal: [frozen] }));
      assert.deepEqual((await stored(place, id))?.journal, [copy, sameName, frozen]);
      await place.again();
      assert.deepEqual((await stored(place, id))?.journal, [copy, sameName, frozen]);
    }),
  );

  it(
    "has beside it what was noted, within half a second, or when the spool is closed",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const [one, other, third] = await Promise.all(
        [1, 2, 3].map(async () => (await enter(place, { active: true })).envelope.id),
      );
      assert.ok(one !== undefined && other !== undefined && third !== undefined);
      spool.note(one, ENTRY);
      clock.advance(500);
      await spool.saveHint("x", undefined);
      assert.deepEqual((await stored(place, one))?.journal, [ENTRY]);
      const later = { ...ENTRY, target: "c@d.test", at: 6 };
      spool.note(other, ENTRY);
      await spool.settle(settled(clock, other, "queued", { journal: [later] }));
      assert.deepEqual((await stored(place, other))?.journal, [ENTRY, later]);
      spool.note(third, ENTRY);
      await place.again();
      assert.deepEqual((await stored(place, third))?.journal, [ENTRY]);
    }),
  );

  it(
    "leaves nothing of what was noted of a message that is gone",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const { envelope } = await enter(place, { active: true });
      await spool.settle(settled(clock, envelope.id, "completed"));
      spool.note(envelope.id, ENTRY);
      await place.again();
      assert.equal(await stored(place, envelope.id), undefined);
    }),
  );
}

function describeWhole(inSpool: InSpool): void {
  it(
    "brings its reports along, due at once, and takes what is completed away",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const { envelope } = await enter(place, { active: true, content: Buffer.alloc(100_000) });
      const ids = [spool.nextId(), spool.nextId()];
      const large = "Subject: large\r\n".repeat(10_000);
      const reports = [large, "Subject: small\r\n"].map((text, index) =>
        newReport(ids[index] ?? "", clock, text),
      );
      await spool.settle(settled(clock, envelope.id, "completed", { reports }));
      assert.equal(await stored(place, envelope.id), undefined);
      const taken = await (await place.again()).take(clock.now(), 10);
      assert.deepEqual(idsOf(taken), ids);
      assert.deepEqual(await Promise.all(taken.map(bytesOf)), [
        Buffer.from(large),
        Buffer.from("Subject: small\r\n"),
      ]);
      assert.deepEqual(
        taken.map((report) => [report.envelope.sender, report.recipients.length]),
        [
          [null, 1],
          [null, 1],
        ],
      );
    }),
  );

  it(
    "of a message that is gone changes nothing, and its reports come all the same",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const id = await waiting(place);
      await spool.change("remove", [id]);
      const report = newReport(spool.nextId(), clock, "x");
      const recipients = [change(clock, { position: 0 })];
      await spool.settle(
        settled(clock, id, "queued", { recipients, journal: [ENTRY], reports: [report] }),
      );
      assert.equal(await stored(place, id), undefined);
      assert.deepEqual(idsOf(await spool.take(clock.now(), 10)), [report.envelope.id]);
    }),
  );

  it(
    "with a report that cannot be stored changes nothing at all",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const id = await waiting(place);
      await spool.claim([id]);
      const inQueue = async () =>
        (await place.look((view) => Array.fromAsync(view.messages({}, assert.fail))))
          .flat()
          .map(withoutBody);
      const before = await inQueue();
      const entry = { why: "unvouched", at: 1, id, sender: "", recipient: "", status: "" } as const;
      const settlement = settled(clock, id, "completed", {
        recipients: [change(clock, { position: 0, state: "delivered" })],
        journal: [ENTRY],
        listed: [entry],
        reports: [newReport(spool.nextId(), clock, "new"), newReport(id, clock, "taken")],
      });
      await assert.rejects(spool.settle(settlement), SpoolError);
      assert.deepEqual(await inQueue(), before);
      assert.deepEqual((await spool.listed()).entries, []);
    }),
  );

  for (const state of ["active", "queued", "frozen"] as const) {
    it(
      `leaves the message ${state} if it says so`,
      inSpool(async (place) => {
        const id = await waiting(place, [{}, {}], { state });
        assert.equal(await statesOf(place, id), `${state} pending pending`);
        const due = state === "queued" ? place.clock.now() + 3_600_000 : undefined;
        assert.equal(await place.spool.nextDue(), due);
      }),
    );
  }

  it(
    "is one among many at the same time, each of which is whole",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const all = await Promise.all(
        Array.from({ length: 80 }, () => enter(place, { active: true })),
      );
      await Promise.all(
        all.map(({ envelope }, index) =>
          spool.settle(
            index % 2 === 0
              ? settled(clock, envelope.id, "completed")
              : settled(clock, envelope.id, "frozen", {
                  recipients: [change(clock, { position: 0, attempts: index })],
                }),
          ),
        ),
      );
      const { frozen } = await place.look((view) => view.count({}));
      assert.equal(frozen.messages, 40);
      for (const [index, { envelope }] of all.entries()) {
        const message = await stored(place, envelope.id);
        assert.equal(message?.recipients[0]?.attempts, index % 2 === 0 ? undefined : index);
      }
    }),
  );
}
