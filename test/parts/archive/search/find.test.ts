// What a search finds, compared with a scan of all messages that knows nothing of FTS5 or SQL.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Condition,
  TEXT_FIELDS,
  type TextField,
} from "../../../../src/parts/archive/search/condition.ts";
import { findIds } from "../../../../src/parts/archive/search/find.ts";
import { queryWords } from "../../../../src/parts/archive/search/tokens.ts";
import { type Random, seeded } from "../../../support/random.ts";
import { freeId, SmallIndex, type SmallMessage } from "./small-index.ts";

const LATIN = ["alpha", "beta", "betamax", "gamma", "Delta", "x1", "zoo", "Café", "cafe"] as const;
const CJK = ["日本語", "日本", "本語", "東京都", "都"] as const;
const ACCOUNTS = [
  "ann@example.org",
  "bob@example.org",
  "ann@example.net",
  "carol@example.net",
] as const;
const FOLDERS = ["INBOX", "Sent", "Archive/2026", "Archive/2027", "Archive"] as const;
const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);

function randomMessages(random: Random, count: number): SmallMessage[] {
  const taken = new Set<number>();
  const text = (words: number) =>
    Array.from({ length: random.below(words + 1) }, () =>
      random.pick(random.below(4) === 0 ? CJK : LATIN),
    ).join(random.pick([" ", ", ", "-"]));
  return Array.from({ length: count }, (_, at) => {
    // Some messages share a moment, so their ids move on.
    const deliveredAt = START + random.below(20) * DAY + random.below(3) * 40;
    return {
      id: freeId(taken, deliveredAt),
      deliveredAt,
      // Shelves overlap: the shelf of a message depends on its order in the index, not on its time.
      shelf: 1 + Math.floor(at / 37),
      account: random.pick(ACCOUNTS),
      folder: random.pick(FOLDERS),
      date: random.below(5) === 0 ? undefined : deliveredAt - random.below(5) * DAY,
      size: random.below(2) === 0 ? 2 ** random.below(12) : random.below(5000),
      messageId: random.below(10) === 0 ? "same@x" : `${at}@x`,
      subject: text(3),
      from: text(1),
      to: text(2),
      body: text(8),
      attachment: text(1),
      filename: text(1),
      hasAttachment: random.below(3) === 0,
    };
  });
}

/** The words of a text, and its pieces of CJK. */
const plain = (written: string) =>
  written
    .toLowerCase()
    .replaceAll("é", "e")
    .split(/[^a-z0-9日本語東京都]+/);
const isCjk = (word: string) => /[^a-z0-9]/.test(word);

/** Whether the words stand in the text one after the other, without the code under test. */
function isIn(text: string, query: string, isPrefix: boolean): boolean {
  const words = plain(text);
  const wanted = plain(query);
  return words.some((_, start) =>
    wanted.every((want, at) => {
      const word = words[start + at] ?? "";
      const [isFirst, isLast] = [at === 0, at === wanted.length - 1];
      if (isCjk(want)) {
        if (isFirst && isLast) return word.includes(want);
        if (isFirst) return word.endsWith(want);
        return isLast ? word.startsWith(want) : word === want;
      }
      return isLast && isPrefix ? word.startsWith(want) : word === want;
    }),
  );
}

interface Asked {
  readonly condition: Condition;
  readonly matches: (message: SmallMessage) => boolean;
}

function randomLeaf(random: Random): Asked {
  switch (random.below(9)) {
    case 0: {
      const account = random.pick([...ACCOUNTS, "ann", "@example.net", "nobody", "@example.org"]);
      return {
        condition: { kind: "account", account: account.toUpperCase() },
        matches: ({ account: own }) =>
          own === account || own.startsWith(`${account}@`) || own.endsWith(account),
      };
    }
    case 1: {
      const folder = random.pick([...FOLDERS, "archive/*", "inbox", "none", "Arch*"]);
      const wanted = folder.toLowerCase();
      return {
        condition: { kind: "folder", folder },
        matches: ({ folder: own }) =>
          wanted === "archive/*" ? own.startsWith("Archive/") : own.toLowerCase() === wanted,
      };
    }
    case 2:
      return {
        condition: { kind: "hasAttachment" },
        matches: ({ hasAttachment }) => hasAttachment,
      };
    case 3: {
      const id = random.pick(["same@x", "3@x", "77@x", "none@x"]);
      return {
        condition: { kind: "messageId", id },
        matches: ({ messageId }) => messageId === id,
      };
    }
    case 4:
      return randomRange(random, "size", () =>
        random.pick([0, 1, 64, 100, 1023, 1024, 1025, 4000]),
      );
    case 5:
      return randomRange(
        random,
        "delivered",
        () => START + random.below(20) * DAY + random.below(2) * 40,
      );
    case 6:
      return randomRange(random, "sent", () => START + random.below(20) * DAY);
    default:
      return randomWords(random);
  }
}

function randomRange(
  random: Random,
  kind: "size" | "delivered" | "sent",
  bound: () => number,
): Asked {
  const from = random.below(3) > 0 ? bound() : undefined;
  const before = from === undefined || random.below(3) === 0 ? bound() : undefined;
  return {
    condition: {
      kind,
      range: { ...(from !== undefined && { from }), ...(before !== undefined && { before }) },
    },
    matches: (message) => {
      const value = { size: message.size, delivered: message.deliveredAt, sent: message.date }[
        kind
      ];
      return value !== undefined && value >= (from ?? -Infinity) && value < (before ?? Infinity);
    },
  };
}

function randomWords(random: Random): Asked {
  const count = random.below(4) === 0 ? 2 : 1;
  const query = Array.from({ length: count }, () =>
    random.pick([...LATIN, ...CJK, "a", "b", "本", "京都"]),
  ).join(" ");
  const words = queryWords(query);
  assert.ok(words);
  const isPrefix = words.isPrefix || (random.below(3) === 0 && /[a-z]$/.test(query));
  const field = random.below(2) === 0 ? random.pick(TEXT_FIELDS) : undefined;
  const fields: readonly TextField[] = field === undefined ? TEXT_FIELDS : [field];
  return {
    condition: {
      kind: "words",
      words: { ...words, isPrefix },
      ...(field !== undefined && { field }),
    },
    matches: (message) => fields.some((each) => isIn(message[each], query, isPrefix)),
  };
}

function randomCondition(random: Random, depth: number): Asked {
  const kind = depth === 0 ? 3 : random.below(5);
  if (kind === 0) {
    const inner = randomCondition(random, depth - 1);
    return {
      condition: { kind: "not", of: inner.condition },
      matches: (message) => !inner.matches(message),
    };
  }
  if (kind > 2) return randomLeaf(random);
  const asked = Array.from({ length: random.below(4) }, () => randomCondition(random, depth - 1));
  const of = asked.map(({ condition }) => condition);
  return kind === 1
    ? {
        condition: { kind: "all", of },
        matches: (message) => asked.every((each) => each.matches(message)),
      }
    : {
        condition: { kind: "any", of },
        matches: (message) => asked.some((each) => each.matches(message)),
      };
}

describe("thousands of random conditions find what a scan of all messages finds", () => {
  for (const seed of [1, 2, 3, 4]) {
    test(`seed ${seed}`, async () => {
      const random = seeded(seed);
      const messages = randomMessages(random, 150);
      const index = new SmallIndex(messages);
      const newestFirst = messages.toSorted((a, b) => b.id - a.id);
      let hits = 0;
      for (let round = 0; round < 700; round++) {
        const { condition, matches } = randomCondition(random, 3);
        const all = newestFirst.filter(matches).map(({ id }) => id);
        const before =
          random.below(2) === 0 ? undefined : messages[random.below(messages.length)]?.id;
        const limit = random.pick([1, 5, 1000]);
        const expected = all.filter((id) => id < (before ?? Infinity)).slice(0, limit);
        const found = await findIds(index, condition, { before, limit });
        assert.deepEqual(found, expected, JSON.stringify(condition));
        hits += expected.length;
      }
      assert.ok(hits > 1000);
    });
  }
});

/** Ten shelves, one after the other in time. Every message holds "alpha"; only the oldest one holds "rare". */
function tenShelves(count = 100, distance = DAY): SmallIndex {
  const taken = new Set<number>();
  return new SmallIndex(
    Array.from({ length: count }, (_, at) => ({
      id: freeId(taken, START + at * distance),
      deliveredAt: START + at * distance,
      shelf: 1 + Math.floor((at * 10) / count),
      account: "ann@example.org",
      folder: "INBOX",
      date: undefined,
      size: 100,
      messageId: `${at}@x`,
      subject: at === 0 ? "alpha rare" : "alpha",
      from: "",
      to: "",
      body: "",
      attachment: "",
      filename: "",
      hasAttachment: false,
    })),
  );
}
const word = (text: string): Condition => ({
  kind: "words",
  words: { tokens: [text], isPrefix: false },
});
const shelvesAsked = ({ log }: SmallIndex) =>
  new Set(log.flatMap((sql) => sql.match(/\btext_\d+/g) ?? [])).size;

describe("a search does no more than it must", () => {
  test("a full page of the newest asks only the newest shelf", async () => {
    const index = tenShelves();
    assert.equal((await findIds(index, word("alpha"), { limit: 10 })).length, 10);
    assert.equal(shelvesAsked(index), 1);
  });

  test("a range of days asks only its shelves", async () => {
    const index = tenShelves();
    const range = { from: START + 32 * DAY, before: START + 38 * DAY };
    const condition: Condition = { kind: "all", of: [word("alpha"), { kind: "delivered", range }] };
    assert.equal((await findIds(index, condition, { limit: 100 })).length, 6);
    assert.equal(shelvesAsked(index), 1);
  });

  test("pages are the parts of the whole", async () => {
    const index = tenShelves();
    const whole = await findIds(index, word("alpha"), { limit: 1000 });
    assert.equal(whole.length, 100);
    const pages: number[] = [];
    for (;;) {
      const page = await findIds(index, word("alpha"), { limit: 7, before: pages.at(-1) });
      if (page.length === 0) break;
      pages.push(...page);
    }
    assert.deepEqual(pages, whole);
  });

  test("slices of a search without words join up", async () => {
    const index = tenShelves(1200, 125);
    const all = await findIds(index, { kind: "not", of: word("rare") }, { limit: 2000 });
    assert.equal(new Set(all).size, 1199);
    assert.deepEqual(
      all,
      all.toSorted((a, b) => b - a),
    );
  });

  test("an abort ends it between two shelves, with its reason", async () => {
    for (const condition of [word("rare"), { kind: "not", of: word("alpha") } as const]) {
      const index = tenShelves();
      const abort = new AbortController();
      const reason = new Error("the reader has gone");
      setImmediate(() => abort.abort(reason));
      await assert.rejects(
        findIds(index, condition, { limit: 5, signal: abort.signal }),
        (error) => error === reason,
      );
      assert.ok(condition.kind === "not" || shelvesAsked(index) < 3);
    }
  });

  test("a limit of 0 finds nothing", async () => {
    assert.deepEqual(await findIds(tenShelves(), word("alpha"), { limit: 0 }), []);
  });
});
