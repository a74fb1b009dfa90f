// The members of a group: groups in groups, circles, limits, and lookups without an answer.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Expansion, GroupExpansion } from "../../../routers/unseen-copy/expansion.ts";
import type { Found } from "../../../src/lists/lookup.ts";
import { manualClock } from "../../support/clock.ts";
import { fakeServices, recordingLog } from "../../support/services.ts";

type Answers = Readonly<Record<string, string | Found>>;

function expansionIn(answers: Answers, isLate = false) {
  const asked: string[] = [];
  const services = { ...fakeServices(), clock: manualClock(), log: recordingLog() };
  const find = ([key = ""]: readonly string[]): Found | Promise<Found> => {
    asked.push(key);
    const answer = answers[key];
    const found: Found =
      typeof answer === "string"
        ? { kind: "found", key, value: answer }
        : (answer ?? { kind: "none" });
    return isLate ? Promise.resolve(found) : found;
  };
  const lists = { ...services.lists, lookup: () => ({ find }) };
  return {
    groups: new GroupExpansion("lsearch:members", { ...services, lists }),
    asked,
    ...services,
  };
}

const addresses = ({ members }: Expansion) => members.map(({ address }) => address);

const SALES = "sales@example.com";

describe("the members of a group", () => {
  const cases: Readonly<Record<string, readonly [Answers, readonly string[]]>> = {
    "are those of its entry": [
      { [SALES]: "alice@example.com, Bob@Example.net,carol@example.com" },
      ["alice@example.com", "Bob@Example.net", "carol@example.com"],
    ],
    "are none for an address that is not a group": [{}, []],
    "are none for an empty entry": [{ [SALES]: "" }, []],
    "include groups and what is in them, each once": [
      {
        [SALES]: "north@example.com, alice@example.com",
        "north@example.com": "alice@example.com, bob@example.com, Far-North@example.com",
        "far-north@example.com": "bob@example.com, dave@example.com",
      },
      [
        "north@example.com",
        "alice@example.com",
        "bob@example.com",
        "Far-North@example.com",
        "dave@example.com",
      ],
    ],
    "end where groups contain each other": [
      {
        [SALES]: "north@example.com, sales@example.com",
        "north@example.com": "Sales@example.com, north@example.com, bob@example.com",
      },
      ["north@example.com", "bob@example.com"],
    ],
    "are only addresses": [
      { [SALES]: "alice, |/bin/sh, :include:/etc/passwd, @x, bob@example.com, ../x@example.com/y" },
      ["bob@example.com"],
    ],
  };
  for (const [how, [answers, expected]] of Object.entries(cases)) {
    for (const isLate of [false, true]) {
      test(`${how}${isLate ? ", also if the file is slow" : ""}`, async () => {
        const { groups, log } = expansionIn(answers, isLate);
        const expansion = await groups.expand(SALES);
        assert.deepEqual([addresses(expansion), expansion.error], [expected, undefined]);
        assert.deepEqual(log.events, []);
      });
    }
  }
});

describe("a lookup without an answer leaves no member out", () => {
  const error: Found = { kind: "error", error: "permission denied" };
  const doubt: Found = { kind: "none", doubt: "has no entry left, of 3" };
  const cases: Readonly<Record<string, Answers>> = {
    "for the group": { [SALES]: error },
    "in doubt": { [SALES]: doubt },
    "for a group in it": {
      [SALES]: "alice@example.com, north@example.com",
      "north@example.com": error,
    },
    "for a member in doubt": { [SALES]: "alice@example.com", "alice@example.com": doubt },
  };
  for (const [how, answers] of Object.entries(cases)) {
    test(how, async () => {
      const expansion = await expansionIn(answers).groups.expand(SALES);
      assert.deepEqual(expansion.members, []);
      assert.match(expansion.error ?? "", /^lsearch:members: /);
    });
  }
});

const many = (count: number) =>
  Array.from({ length: count }, (_, index) => numbered(index)).join(", ");
const numbered = (index: number) => `u${index}@example.com`;

describe("limits", () => {
  test("5000 members get a copy; with more, the log says so once an hour", async () => {
    const { groups, log, clock } = expansionIn({ [SALES]: many(5001) });
    for (const expected of [1, 1, 2]) {
      assert.equal((await groups.expand(SALES)).members.length, 5000);
      assert.equal(log.named("relay.warning").length, expected);
      if (expected === 1) clock.advance(1_800_000);
    }
    const all = expansionIn({ [SALES]: many(5000) });
    assert.equal((await all.groups.expand(SALES)).members.length, 5000);
    assert.deepEqual(all.log.events, []);
  });

  test("a thousand groups that all contain each other cost no more than a limited number of texts", async () => {
    const names = Array.from({ length: 1000 }, (_, index) => numbered(index));
    const answers = Object.fromEntries(names.map((name) => [name, names.join(", ")]));
    const { groups, asked } = expansionIn(answers);
    const { members } = await groups.expand(numbered(0));
    assert.equal(members.length, 999);
    assert.ok(asked.length <= 30, String(asked.length));
  });
});
