// The words of texts and of queries: both sides see the same ones, as SQLite's own tokenizer splits them.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import {
  indexText,
  markTerm,
  queryWords,
  TOKENIZER,
} from "../../../../src/parts/archive/search/tokens.ts";

/** A full-text table with one column, and the words that SQLite has made of its rows. */
class Table {
  readonly #database = new DatabaseSync(":memory:");

  constructor(texts: readonly string[]) {
    this.#database.exec(`CREATE VIRTUAL TABLE t USING fts5(a, tokenize="${TOKENIZER}", content='',
      contentless_delete=1); CREATE VIRTUAL TABLE v USING fts5vocab(t, instance); BEGIN`);
    const insert = this.#database.prepare("INSERT INTO t (rowid, a) VALUES (?, ?)");
    texts.forEach((text, at) => insert.run(at + 1, text));
    this.#database.exec("COMMIT");
  }

  /** By row. */
  words(): Map<number, string[]> {
    const words = new Map<number, string[]>();
    const rows = this.#database.prepare("SELECT term, doc FROM v ORDER BY doc, offset");
    for (const { term, doc } of rows.iterate()) {
      const row = Number(doc);
      words.set(row, [...(words.get(row) ?? []), String(term)]);
    }
    return words;
  }

  isFound(query: string): boolean {
    const words = queryWords(query);
    assert.ok(words, `no word in ${query}`);
    const phrase = `"${words.tokens.join(" ")}"${words.isPrefix ? " *" : ""}`;
    return this.#database.prepare("SELECT 1 FROM t WHERE t MATCH ?").get(phrase) !== undefined;
  }
}

const isFound = (text: string, query: string) => new Table([indexText(text)]).isFound(query);

function every(pairs: readonly (readonly [text: string, query: string])[], expected: boolean) {
  for (const [text, query] of pairs) {
    assert.equal(isFound(text, query), expected, `"${query}" in "${text}"`);
  }
}

describe("writing the same word in another way finds it", () => {
  const groups = [
    ["Straße", "STRASSE", "strasse", "STRAẞE"],
    ["İstanbul", "istanbul", "ISTANBUL", "ıstanbul", "i\u0307stanbul"],
    ["été", "e\u0301te\u0301", "ETE", "ÉTÉ"],
    ["ﬁle", "file", "ＦＩＬＥ", "𝐟𝐢𝐥𝐞"],
    ["ガギ", "ｶﾞｷﾞ", "カ\u3099キ\u3099"],
    ["한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"],
    ["ΟΔΥΣΣΕΥΣ", "οδυσσευς", "Οδυσσεύς"],
    ["Łódź", "lodz", "ŁÓDŹ"],
    ["ёлка", "елка", "е\u0308лка", "ЁЛКА"],
    ["мой", "МОЙ", "мои\u0306"],
    ["שָׁלוֹם", "שלום"],
    ["مُحَمَّد", "محمد"],
    ["super\u00ADstar", "superstar", "super\u200Dstar"],
    ["۱x", "۱x"],
    ["㍿", "株式会社"],
    ["e-mail", "e mail", "e.mail", "“E—mail”"],
    ["don't", "don’t", "don t"],
  ] as const;
  for (const group of groups) {
    test(group.join(" "), () => {
      for (const text of group) {
        every(
          group.map((query) => [text, query]),
          true,
        );
      }
    });
  }

  test("different words stay different", () => {
    every(
      [
        ["мои", "мой"],
        ["かき", "がき"],
        ["काम", "कम"],
        ["superstar", "super"],
        ["日本", "本日"],
      ],
      false,
    );
  });
});

describe("parts of words in scripts without spaces", () => {
  test("every part of a run is found, whatever its length, and nothing else", () => {
    for (const text of [
      "日本語テスト",
      "한국어를",
      "ภาษาไทย",
      "ພາສາລາວ",
      "ភាសាខ្មែរ",
      "မြန်မာစာ",
      "𠮷野家で",
    ]) {
      const characters = Array.from(text);
      const table = new Table([indexText(`x ${text}。y`)]);
      for (let from = 0; from < characters.length; from++) {
        for (let to = from + 1; to <= characters.length; to++) {
          const part = characters.slice(from, to).join("");
          assert.ok(table.isFound(part), `"${part}" in "${text}"`);
        }
      }
      assert.ok(!table.isFound(characters.toReversed().join("")));
    }
  });

  test("a phrase goes over the borders of runs", () => {
    every(
      [
        ["東京 ABC大阪", "京 abc大"],
        ["第3章", "第3章"],
        ["第3章節", "第3章"],
        ["日本語 ABC", "本語 ABC"],
        ["iPhone用ケース", "iphone用ケ"],
      ],
      true,
    );
    every(
      [
        ["日本語学 ABC", "日本語 ABC"],
        ["日本 語", "日本語"],
        ["東京。都", "東京都"],
      ],
      false,
    );
  });

  test("a line end within a run is no border, but in Korean it is", () => {
    every(
      [
        ["この文は折り\r\n返される", "折り返"],
        ["ภาษา\nไทย", "ษาไท"],
      ],
      true,
    );
    every(
      [
        ["한국\n어", "한국어"],
        ["東京\n\n大阪", "京大"],
      ],
      false,
    );
  });
});

describe("every character", () => {
  /** Of the higher planes, which are almost one kind, every 61st. */
  const characters = Array.from({ length: 0x11_0000 }, (_, code) => code)
    .filter((code) => code < 0x1_3000 || code % 61 === 0)
    .map((code) => (code >= 0xd800 && code < 0xe000 ? "\ud800" : String.fromCodePoint(code)));

  test("SQLite splits a text where we do, so a query has the words of the text", () => {
    const table = new Table(characters.map((character) => indexText(`x${character}y z`)));
    const words = table.words();
    for (const [at, character] of characters.entries()) {
      const seen = words.get(at + 1);
      // The final character of a run stands alone as well, so a run in the middle is the same on both sides.
      const asked = queryWords(`x${character}y z`)?.tokens;
      assert.deepEqual(asked, seen, `U+${character.codePointAt(0)?.toString(16)}`);
    }
  });

  test("none brings our own words into the index", () => {
    for (const character of characters) {
      assert.doesNotMatch(indexText(`a${character}`), /[\uE000-\uF8FF]/u);
      assert.doesNotMatch(queryWords(`a${character}`)?.tokens.join(" ") ?? "", /[\uE000-\uF8FF]/u);
    }
  });

  test("folding alone or beside another character gives the same words", () => {
    for (const character of characters) {
      const alone = queryWords(`${character} é`)?.tokens;
      const beside = queryWords(`${character}. é`)?.tokens;
      assert.deepEqual(beside, alone);
    }
  });
});

test("a text without words gives none", () => {
  for (const text of ["", "!!!", "-", "\0", "…", "👍", "\ud800", "\uE000", "\u0301", "™"]) {
    assert.equal(queryWords(text), undefined, JSON.stringify(text));
  }
});

test("tokens need no escaping in a query of FTS5", () => {
  const words = queryWords('a" OR b* NEAR(c) {d}: ^e + f \0 g');
  assert.deepEqual(words?.tokens, ["a", "or", "b", "near", "c", "d", "e", "f", "g"]);
});

test("words of our own are one token each, and differ by kind and value", () => {
  const values = ["", "alice@example.org", "Archive/2026", "a b", "日本", '"', "a".repeat(300)];
  const kinds = ["account", "folder", "attachment", "id", "unparsed"] as const;
  const terms = values.flatMap((value) => kinds.map((kind) => markTerm(kind, value)));
  assert.equal(new Set(terms).size, terms.length);
  const words = new Table([terms.join(" ")]).words().get(1);
  assert.deepEqual(words, terms);
});

test("ASCII passes unchanged, and a character of another script changes nothing around it", () => {
  const plain = "Re: [x] foo_bar <a@b.c> 1.2.3\r\n\tend";
  assert.equal(indexText(plain), plain);
  assert.equal(indexText(`${plain}é`), `${plain}e`);
});
