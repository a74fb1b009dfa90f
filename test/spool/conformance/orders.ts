// What the postmaster does to messages.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type {
  Action,
  AddressFilter,
  Change,
  FrozenWhy,
  JournalEntry,
} from "../../../src/spool/spool.ts";
import {
  alice,
  bob,
  change,
  enter,
  HOUR,
  idsOf,
  type InSpool,
  type Place,
  settled,
  statesOf,
  stored,
  waiting,
} from "./place.ts";

export function describeOrders(inSpool: InSpool): void {
  describe("the postmaster", () => {
    describeStates(inSpool);
    describeThaw(inSpool);
    describeRetry(inSpool);
    describeRaces(inSpool);
    describeIds(inSpool);
    describeAge(inSpool);
  });
}

const TO_ALICE: AddressFilter = { domain: "example.com", localPart: "ALICE" };
const TO_BOB: AddressFilter = { domain: "b.test" };
const TO_NOBODY: AddressFilter = { domain: "b.test", localPart: "alice" };

type Case = readonly [
  before: readonly ["pending" | "frozen" | "delivered", "pending" | "frozen" | "delivered"],
  action: Action,
  only: AddressFilter | undefined,
  result: Change["result"],
  after: string,
];

const CASES: readonly Case[] = [
  [["pending", "pending"], "freeze", undefined, "done", "frozen frozen frozen"],
  [["pending", "pending"], "freeze", TO_ALICE, "done", "queued frozen pending"],
  [["pending", "pending"], "freeze", TO_BOB, "done", "queued pending frozen"],
  [["pending", "pending"], "freeze", TO_NOBODY, "unchanged", "queued pending pending"],
  [["delivered", "pending"], "freeze", undefined, "done", "frozen delivered frozen"],
  [["delivered", "pending"], "freeze", TO_ALICE, "unchanged", "queued delivered pending"],
  [["frozen", "frozen"], "freeze", undefined, "done", "frozen frozen frozen"],
  [["frozen", "frozen"], "thaw", undefined, "done", "queued pending pending"],
  [["frozen", "frozen"], "thaw", TO_BOB, "done", "queued frozen pending"],
  [["frozen", "frozen"], "thaw", TO_NOBODY, "unchanged", "frozen frozen frozen"],
  [["frozen", "pending"], "thaw", undefined, "done", "queued pending pending"],
  [["pending", "pending"], "thaw", undefined, "unchanged", "queued pending pending"],
  [["delivered", "frozen"], "thaw", TO_ALICE, "unchanged", "frozen delivered frozen"],
  [["pending", "pending"], "retry", undefined, "done", "queued pending pending"],
  [["frozen", "frozen"], "retry", undefined, "done", "queued pending pending"],
  [["frozen", "frozen"], "retry", TO_ALICE, "done", "queued pending frozen"],
  [["delivered", "pending"], "retry", TO_ALICE, "unchanged", "queued delivered pending"],
  [["pending", "pending"], "retry", TO_NOBODY, "unchanged", "queued pending pending"],
  [["frozen", "pending"], "remove", undefined, "done", "gone"],
  [["pending", "pending"], "remove", TO_ALICE, "done", "gone"],
];

/** A message whose recipients are in these states. */
function inStates(place: Place, states: Case[0], frozenWhy: FrozenWhy = "delivery") {
  const state = states.includes("pending") ? "queued" : "frozen";
  const changes = states.map((one) =>
    one === "frozen" ? { state: one, frozenWhy } : { state: one },
  );
  return waiting(place, changes, { state });
}

function describeStates(inSpool: InSpool): void {
  for (const [before, action, only, result, after] of CASES) {
    const whom = only === undefined ? "all" : `${only.localPart ?? ""}@${only.domain}`;
    it(
      `says ${action} of ${whom} where recipients are ${before.join(" and ")}`,
      inSpool(async (place) => {
        const id = await inStates(place, before);
        const other = await inStates(place, ["pending", "frozen"]);
        assert.deepEqual(await place.spool.change(action, [id], only), [{ id, result }]);
        assert.equal(await statesOf(place, id), after);
        assert.equal(await statesOf(place, other), "queued pending frozen");
        await place.again();
        assert.equal(await statesOf(place, id), after);
      }),
    );
  }

  it(
    "freezes what is frozen for another reason, and once",
    inSpool(async (place) => {
      const id = await inStates(place, ["frozen", "frozen"], "nobody-to-tell");
      assert.deepEqual(await place.spool.change("freeze", [id]), [{ id, result: "done" }]);
      const whys = (await stored(place, id))?.recipients.map(({ frozenWhy }) => frozenWhy);
      assert.deepEqual(whys, ["ordered", "ordered"]);
      assert.deepEqual(await place.spool.change("freeze", [id]), [{ id, result: "unchanged" }]);
    }),
  );

  it(
    "gives many orders at once, and has an answer to each, in order",
    inSpool(async (place) => {
      const ids: string[] = [];
      for (let count = 0; count < 30; count++)
        ids.push(await inStates(place, ["pending", "frozen"]));
      const changes = await place.spool.change("thaw", [...ids, "unknown", ...ids]);
      assert.deepEqual(
        changes.map(({ id }) => id),
        [...ids, "unknown", ...ids],
      );
      assert.deepEqual(
        changes.map(({ result }) => result),
        [...ids.map(() => "done"), "unknown", ...ids.map(() => "unchanged")],
      );
      assert.deepEqual(await place.spool.change("thaw", []), []);
    }),
  );
}

const FROZEN: JournalEntry = {
  target: "x@y.test",
  position: 0,
  address: "x@y.test",
  router: "r",
  transport: "t",
  outcome: "frozen",
  at: 5,
};

function describeThaw(inSpool: InSpool): void {
  it(
    "lets retry rules and clocks begin anew with what was frozen, and clocks alone otherwise",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const nextAttempt = clock.now() + HOUR;
      const clocks = { mail: { nextAttempt, waitsFor: { key: "mx" } }, copies: [] };
      const waits = { waitsFor: { key: "mx" }, heldDomain: "b.test", waitsBecause: "why" };
      const id = await waiting(place, [
        { ...waits, clocks },
        { ...waits, clocks },
      ]);
      await spool.change("freeze", [id], { domain: "example.com" });
      clock.advance(1000);
      await spool.change("thaw", [id]);
      const [first, second] = (await stored(place, id))?.recipients ?? [];
      assert.deepEqual(first, {
        mailbox: alice,
        position: 0,
        state: "pending",
        attempts: 1,
        nextAttempt: clock.now(),
      });
      const firstFailure = clock.now() - 1001;
      assert.deepEqual(second, {
        mailbox: bob,
        position: 1,
        state: "pending",
        attempts: 1,
        firstFailure,
        nextAttempt,
        ...waits,
        clocks,
      });
      assert.equal(await spool.nextDue(), clock.now());
    }),
  );

  it(
    "thaws a delivery with any recipient that leads to it, unless another waits for it",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const delivered = { ...FROZEN, target: "done", outcome: "delivered", at: 6 } as const;
      const journal = [FROZEN, delivered];
      const left = async (id: string) =>
        (await stored(place, id))?.journal.map(({ target }) => target);
      // Alice, for whom it is noted, waits: bob alone does not thaw it.
      const both = await waiting(place, [{}, { state: "frozen", frozenWhy: "copy" }], { journal });
      await spool.change("thaw", [both], TO_BOB);
      assert.deepEqual(await left(both), ["x@y.test", "done"]);
      clock.advance(5);
      assert.deepEqual(await spool.change("thaw", [both], TO_ALICE), [
        { id: both, result: "done" },
      ]);
      assert.deepEqual(await left(both), ["done"]);
      assert.equal((await stored(place, both))?.recipients[0]?.nextAttempt, clock.now());
      // She has had her end: it goes with bob.
      const one = await waiting(
        place,
        [{ state: "delivered" }, { state: "frozen", frozenWhy: "copy" }],
        { journal },
      );
      await spool.change("retry", [one], TO_BOB);
      assert.deepEqual(await left(one), ["done"]);
    }),
  );
}

function describeRetry(inSpool: InSpool): void {
  it(
    "makes due at once, by force, whatever it waits for",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const waits = { waitsFor: { key: "mx" }, waitsBecause: "why" };
      const id = await waiting(place, [waits, waits]);
      await spool.change("retry", [id], { domain: "b.test", localPart: "B B" });
      const [taken] = await spool.take(clock.now(), 10);
      assert.deepEqual(
        taken?.recipients.map((one) => [one.forced, one.nextAttempt, one.waitsBecause]),
        [
          [undefined, clock.now() + HOUR, "why"],
          [true, clock.now(), undefined],
        ],
      );
    }),
  );

  const held = { heldDomain: "b.test" };
  for (const [what, changes, only, result] of [
    ["both wait for a release", [held, held], undefined, "held"],
    ["one waits for a release", [{}, held], undefined, "done"],
    ["the one that is meant does", [{}, held], TO_BOB, "held"],
    ["its domain is on hold", [{}, {}], TO_BOB, "held"],
    ["a copy of it waits", [{}, { ...held, clocks: { copies: [] } }], TO_BOB, "done"],
    ["the other has had its end", [{ state: "delivered" }, held], undefined, "held"],
  ] as const) {
    it(
      `says whether a hold is in the way: ${what}`,
      inSpool(async (place) => {
        await place.spool.hold("b.test");
        const id = await waiting(place, changes);
        assert.deepEqual(await place.spool.change("retry", [id], only), [{ id, result }]);
        assert.equal(await place.spool.nextDue(), place.clock.now());
      }),
    );
  }
}

function describeRaces(inSpool: InSpool): void {
  it(
    "does nothing to a message under attempt, and its settlement stands",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const { envelope } = await enter(place, { active: true });
      const { id } = envelope;
      for (const action of ["retry", "freeze", "thaw", "remove"] as const) {
        assert.deepEqual(await spool.change(action, [id]), [{ id, result: "active" }]);
      }
      assert.deepEqual(await spool.claim([id]), {
        changes: [{ id, result: "active" }],
        messages: [],
      });
      const recipients = [change(clock, { position: 0 })];
      await spool.settle(settled(clock, id, "queued", { recipients }));
      assert.equal(await statesOf(place, id), "queued pending pending");
      assert.equal((await stored(place, id))?.recipients[0]?.forced, undefined);
    }),
  );

  for (const action of ["freeze", "remove", "claim"] as const) {
    it(
      `and an attempt that begin at the same time have a message once: ${action}`,
      inSpool(async (place) => {
        const { spool, clock } = place;
        const ids = await Promise.all(
          Array.from({ length: 20 }, async () => (await enter(place)).envelope.id),
        );
        const order = async () =>
          action === "claim"
            ? (await spool.claim(ids.slice(10))).changes
            : spool.change(action, ids.slice(10));
        const [some, changes, others] = await Promise.all([
          spool.take(clock.now(), 5),
          order(),
          spool.take(clock.now(), 20),
        ]);
        const done = changes.filter(({ result }) => result === "done").map(({ id }) => id);
        const taken = [...idsOf(some), ...idsOf(others)];
        assert.deepEqual([...done, ...taken].toSorted(), ids.toSorted());
        const refused = changes.filter(({ result }) => result !== "done");
        assert.ok(refused.every(({ id, result }) => result === "active" && taken.includes(id)));
      }),
    );
  }

  it(
    "claims a message once, with its body, as under attempt",
    inSpool(async (place) => {
      const id = await inStates(place, ["frozen", "frozen"]);
      const { changes, messages } = await place.spool.claim([id, id]);
      assert.deepEqual(changes, [
        { id, result: "done" },
        { id, result: "active" },
      ]);
      assert.deepEqual([idsOf(messages), messages[0]?.state], [[id], "active"]);
      assert.equal(messages[0]?.body.inline?.toString(), "x");
      assert.equal(await statesOf(place, id), "active frozen frozen");
    }),
  );
}

/** None is the id of a message, although some are read as the same number. */
export const hostileIds = (id: string): readonly string[] => [
  "",
  " ",
  "x",
  "0",
  "-1",
  "1e9",
  "NaN",
  "Infinity",
  "0000000NaN",
  "0000000000",
  "zzzzzzzzzz",
  "__proto__",
  "constructor",
  "'; DROP TABLE messages; --",
  "../../etc/passwd",
  "\0",
  "%",
  id.toUpperCase(),
  ` ${id}`,
  `${id} `,
  `${id}\0`,
  `0${id}`,
  id.slice(1),
  `${id}.`,
  "z".repeat(10_000),
];

function describeIds(inSpool: InSpool): void {
  it(
    "names no message by anything but its id",
    inSpool(async (place) => {
      const id = await inStates(place, ["pending", "frozen"]);
      const ids = hostileIds(id).filter((one) => one !== id);
      const unknown = ids.map((one) => ({ id: one, result: "unknown" }));
      for (const action of ["retry", "freeze", "thaw", "remove"] as const) {
        assert.deepEqual(await place.spool.change(action, ids), unknown);
      }
      assert.deepEqual(await place.spool.claim(ids), { changes: unknown, messages: [] });
      assert.equal(await statesOf(place, id), "queued pending frozen");
    }),
  );
}

function describeAge(inSpool: InSpool): void {
  it(
    "has messages grow older that are frozen because there is nobody to be told, and no others",
    inSpool(async (place) => {
      const { spool } = place;
      const untold = await inStates(place, ["frozen", "frozen"], "nobody-to-tell");
      const partly = await inStates(place, ["delivered", "frozen"], "nobody-to-tell");
      for (const why of ["ordered", "copy", "delivery"] as const) {
        await inStates(place, ["frozen", "frozen"], why);
      }
      await inStates(place, ["pending", "frozen"], "nobody-to-tell");
      await waiting(
        place,
        [
          { state: "frozen", frozenWhy: "nobody-to-tell" },
          { state: "frozen", frozenWhy: "copy" },
        ],
        { state: "frozen" },
      );
      assert.deepEqual(await spool.ageFrozen(1000, 1001, 10), []);
      assert.deepEqual(await spool.ageFrozen(0, 1000, 10), [untold, partly]);
      assert.deepEqual(await (await place.again()).ageFrozen(1, 1001, 1), [untold]);
    }),
  );

  it(
    "has them begin anew when he has thawed them",
    inSpool(async (place) => {
      const { spool, clock } = place;
      const id = await inStates(place, ["frozen", "frozen"], "nobody-to-tell");
      await spool.ageFrozen(1000, 1000, 10);
      await spool.change("thaw", [id]);
      await spool.claim([id]);
      const recipients = [0, 1].map((position) =>
        change(clock, { position, state: "frozen", frozenWhy: "nobody-to-tell" }),
      );
      await spool.settle(settled(clock, id, "frozen", { recipients }));
      assert.deepEqual(await spool.ageFrozen(0, 1, 10), []);
    }),
  );
}
