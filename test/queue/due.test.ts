// What is due of a recipient when the chain has said where it leads, as a table.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dueOf, isOpenIn } from "../../src/queue/due.ts";
import { attemptOf } from "../../src/retry/clocks/due.ts";
import { entryOf, Journal } from "../../src/settle/journal.ts";
import type { StoredRecipient, WaitingCopy } from "../../src/spool/spool.ts";
import { status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import { delivery, recipient, START } from "./runner.ts";

const TO = "a@example.com";
const NO = status(550, "1.1", "No such user here");
const WAITING: WaitingCopy = {
  address: TO,
  router: "file",
  place: "a",
  attempts: 1,
  firstFailure: START,
  lastStatus: NO,
  nextAttempt: START + 1,
};
const ROUTING = {
  deliveries: [delivery(TO, "file"), delivery(TO, "smtp")],
  troubles: [
    { kind: "failed", mailbox: mailbox("b@example.com"), router: "", unseen: false, status: NO },
  ] as const,
  discarded: [{ mailbox: mailbox("c@example.com"), router: "drop", why: "as it wants" }],
};

/** Of a recipient that leads to a copy, to mail, to somebody who is gone, and to somebody whose mail is dropped. */
function due(
  given: Partial<StoredRecipient>,
  { done = [], resting = [] }: { done?: ("file" | "smtp")[]; resting?: WaitingCopy[] } = {},
): string {
  const entries = done.map((transport) => {
    const one = { ...delivery(TO, transport), position: 0 };
    return entryOf(transport === "file" ? { ...one, place: "a" } : one, "delivered", START);
  });
  const known = { journal: new Journal(entries), resting, placeOf: () => "a" };
  const attempted = attemptOf({ ...recipient(0, TO), ...given }, START);
  assert.ok(attempted);
  const said = dueOf(attempted, { ...ROUTING, troubles: [...ROUTING.troubles] }, (one) =>
    isOpenIn(known, one),
  );
  return [
    ...said.deliveries.map(({ transport }) => transport),
    ...said.troubles.map(({ kind }) => kind),
    ...said.discarded.map(() => "discarded"),
    ...(said.copyDropped ? ["copy dropped"] : []),
  ].join(" ");
}

describe("of a recipient is due", () => {
  const rests = { clocks: { mail: { nextAttempt: START + 1 }, copies: [] } };
  const cases: readonly (readonly [string, string, string])[] = [
    ["all that the chain says, at first", due({}), "file smtp failed discarded"],
    ["no copy that is made", due({}, { done: ["file"] }), "smtp failed discarded"],
    ["no mail that is delivered", due({}, { done: ["smtp"] }), "file failed discarded"],
    ["no copy that waits", due({}, { resting: [WAITING] }), "smtp failed discarded"],
    ["only the copy, while the mail waits", due(rests), "file"],
    ["only the copy, when the mail is done", due({ mailDone: true }), "file"],
    ["nothing, when both are", due({ mailDone: true }, { done: ["file"] }), "copy dropped"],
  ];
  for (const [what, said, expected] of cases) test(what, () => assert.equal(said, expected));

  test("no copy that is dropped, as long as one waits for its time", () => {
    const clocks = { copies: [WAITING] };
    assert.equal(due({ mailDone: true, clocks }, { done: ["file"], resting: [WAITING] }), "");
  });
});
