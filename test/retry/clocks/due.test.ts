// What of a recipient is due by its times, as a table.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Attempted,
  attemptOf,
  dueCopies,
  dueTimes,
  mailIsDue,
  mailRests,
  restingCopies,
  timesOf,
} from "../../../src/retry/clocks/due.ts";
import type { StoredRecipient, Wait, WaitingCopy } from "../../../src/spool/spool.ts";
import { storedRecipient, waitingCopy } from "../../support/build.ts";

const NOW = 1_000_000;
const BEFORE = NOW - 1;
const AHEAD = NOW + 1;
const HOST = { key: "mx.example.net [192.0.2.1]", host: "mx.example.net" };

function copy(nextAttempt: number, given: Partial<WaitingCopy> = {}): WaitingCopy {
  const router = `store${nextAttempt}`;
  return waitingCopy({ router, firstFailure: BEFORE, nextAttempt, ...given });
}

function recipient(given: Partial<StoredRecipient> = {}): StoredRecipient {
  return storedRecipient({ attempts: 1, nextAttempt: NOW, ...given });
}

/** "mail", and the times of copies; a blank means that nothing is. */
function dueText(attempted: Attempted | undefined): string {
  if (attempted === undefined) return "no attempt";
  const copies = dueCopies(attempted).map(({ nextAttempt }) => `copy ${nextAttempt - NOW}`);
  return [...(mailIsDue(attempted) ? ["mail"] : []), ...copies].join(", ");
}

const waits = (mail: Wait | undefined, ...copies: readonly WaitingCopy[]) => ({
  clocks: { ...(mail === undefined ? {} : { mail }), copies },
});

describe("what is due at an attempt", () => {
  const cases: readonly (readonly [string, Partial<StoredRecipient>, string])[] = [
    ["a recipient whose time has come", {}, "mail"],
    ["one whose time has not", { nextAttempt: AHEAD }, "no attempt"],
    ["a frozen one", { state: "frozen" }, "no attempt"],
    ["one that has its mail", { state: "delivered" }, "no attempt"],
    ["one of whom only copies are left", { mailDone: true }, ""],
    ["a copy beside mail that waits", waits({ nextAttempt: AHEAD }, copy(NOW)), "copy 0"],
    ["mail beside a copy that waits", waits({ nextAttempt: NOW }, copy(AHEAD)), "mail"],
    ["both", waits({ nextAttempt: BEFORE }, copy(NOW), copy(AHEAD)), "mail, copy 0"],
    ["a copy whose mail is done", { mailDone: true, ...waits(undefined, copy(NOW)) }, "copy 0"],
    [
      "all of it, by the postmaster's order",
      { forced: true, ...waits({ nextAttempt: AHEAD }, copy(AHEAD)) },
      "mail, copy 1",
    ],
    [
      "nothing, by the order, before the time that it set",
      { forced: true, nextAttempt: AHEAD, ...waits({ nextAttempt: AHEAD }, copy(NOW)) },
      "no attempt",
    ],
    [
      "mail whose host can be used again, and no copy before its time",
      waits({ nextAttempt: AHEAD, waitsFor: HOST }, copy(AHEAD)),
      "mail",
    ],
    [
      "no mail whose host cannot",
      { waitsFor: HOST, ...waits({ nextAttempt: AHEAD, waitsFor: HOST }, copy(NOW)) },
      "copy 0",
    ],
    [
      "mail whose domain is released",
      waits({ nextAttempt: AHEAD, heldDomain: "example.com" }, copy(AHEAD)),
      "mail",
    ],
    [
      "no mail whose domain is held",
      {
        heldDomain: "example.com",
        ...waits({ nextAttempt: AHEAD, heldDomain: "example.com" }, copy(NOW)),
      },
      "copy 0",
    ],
  ];
  for (const [what, given, due] of cases) {
    test(`${what}: ${due || "only what the chain asks for"}`, () => {
      assert.equal(dueText(attemptOf(recipient(given), NOW)), due);
    });
  }

  test("mail that is done does not rest, and is not due", () => {
    const attempted = attemptOf(recipient({ mailDone: true, ...waits(undefined, copy(NOW)) }), NOW);
    assert.ok(attempted);
    assert.deepEqual([mailRests(attempted), mailIsDue(attempted)], [false, false]);
  });
});

function times(given: Partial<StoredRecipient>) {
  const attempted = attemptOf(recipient(given), NOW);
  assert.ok(attempted);
  return dueTimes(attempted).map(({ nextAttempt, firstFailure }) => [nextAttempt, firstFailure]);
}

describe("the times by which something is attempted", () => {
  test("are its own, while no copy waits", () => {
    assert.deepEqual(times({ firstFailure: 7 }), [[NOW, 7]]);
  });

  test("are those of the mail, which has failed when the recipient did, and of the copies that are due", () => {
    const mail = { nextAttempt: BEFORE };
    const given = { firstFailure: 7, ...waits(mail, copy(NOW), copy(AHEAD)) };
    assert.deepEqual(times(given), [
      [BEFORE, 7],
      [NOW, BEFORE],
    ]);
  });

  test("are not those of mail that rests", () => {
    assert.deepEqual(times(waits({ nextAttempt: AHEAD }, copy(NOW))), [[NOW, BEFORE]]);
  });
});

describe("when it is due", () => {
  const text = ({ mail, copies }: ReturnType<typeof timesOf>) =>
    [mail, ...copies].map((wait) => wait && wait.nextAttempt - NOW);
  const cases: readonly (readonly [string, Partial<StoredRecipient>, unknown[]])[] = [
    ["without copies that wait, the recipient's time", { nextAttempt: AHEAD }, [1]],
    ["with them, each its own", waits({ nextAttempt: AHEAD }, copy(NOW)), [1, 0]],
    ["only copies, once the mail is done", waits(undefined, copy(AHEAD)), [undefined, 1]],
    ["by an order, all now", { forced: true, ...waits({ nextAttempt: 9 }, copy(AHEAD)) }, [0, 0]],
    [
      "now, of what waits for nothing any more",
      waits({ nextAttempt: 9, waitsFor: HOST }, copy(AHEAD), copy(AHEAD, { waitsFor: HOST })),
      [0, 1, 0],
    ],
    [
      "later, of what still waits",
      { waitsFor: HOST, ...waits({ nextAttempt: AHEAD, waitsFor: HOST }) },
      [1],
    ],
    ["never, of what is frozen", { state: "frozen", ...waits(undefined, copy(NOW)) }, [undefined]],
  ];
  for (const [what, given, expected] of cases) {
    test(what, () => assert.deepEqual(text(timesOf(recipient(given))), expected));
  }
});

test("copies rest of those who are attempted, and all copies of those who are not", () => {
  const one = recipient(waits({ nextAttempt: NOW }, copy(NOW), copy(AHEAD)));
  const other = recipient({
    position: 1,
    nextAttempt: AHEAD,
    ...waits(undefined, copy(AHEAD + 1)),
  });
  const frozen = recipient({ position: 2, state: "frozen", ...waits(undefined, copy(AHEAD + 2)) });
  const attempted = [one, other, frozen].flatMap((each) => attemptOf(each, NOW) ?? []);
  const resting = restingCopies([one, other, frozen], attempted);
  assert.deepEqual(
    resting.map(({ nextAttempt }) => nextAttempt),
    [AHEAD, AHEAD + 1],
  );
});
