// What of a header section the verifier of DKIM is given.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseHeaderFields } from "../../../src/mail/header-fields.ts";
import { AUTHORS_MAX, signedPart } from "../../../src/receive/authentication/signatures.ts";

const FROM = "From: a@example.com\r\n";

const dkim = (domain: string, covers = "from", selector = "s") =>
  `DKIM-Signature: v=1; d=${domain}; s=${selector}; h=${covers}; b=x\r\n`;

function given(section: string, authors: readonly string[] = ["example.com"]) {
  const fields = parseHeaderFields(Buffer.from(section, "latin1"));
  assert.ok(fields);
  const signed = signedPart(fields, { domains: authors, exact: true });
  return signed && { header: signed.header.toString("latin1"), keys: [...signed.keys] };
}

describe("the verifier is given", () => {
  const EXAMPLE = "s._domainkey.example.com";
  const table: readonly (readonly [
    what: string,
    section: string,
    header: string | undefined,
    keys?: readonly string[],
  ])[] = [
    ["nothing where nothing is signed", FROM, undefined],
    ["a signature and From", FROM + dkim("example.com"), FROM + dkim("example.com"), [EXAMPLE]],
    [
      "what the signature covers, whatever the case, and nothing else",
      `To: b\r\n${FROM}Subject: c\r\nX-Other: d\r\n${dkim("example.com", "from : SUBJECT")}`,
      `${FROM}Subject: c\r\n${dkim("example.com", "from : SUBJECT")}`,
      [EXAMPLE],
    ],
    [
      "From, though it is not covered",
      `${FROM}To: b\r\n${dkim("example.com", "to")}`,
      `${FROM}To: b\r\n${dkim("example.com", "to")}`,
      [EXAMPLE],
    ],
    [
      "every field where a line is none",
      `To: b\r\nno field\r\n${FROM}${dkim("example.com")}`,
      `To: b\r\nno field\r\n${FROM}${dkim("example.com")}`,
      [EXAMPLE],
    ],
    [
      "tags in any order, folded and in capitals",
      `${FROM}DKIM-Signature: s=S1;\r\n\th = From ; d =\r\n Example.COM\r\n`,
      `${FROM}DKIM-Signature: s=S1;\r\n\th = From ; d =\r\n Example.COM\r\n`,
      ["s1._domainkey.example.com"],
    ],
    ["no signature without a domain", `${FROM}DKIM-Signature: s=s; h=from\r\n`, undefined],
    [
      "no signature without a selector",
      `${FROM}DKIM-Signature: d=example.com; h=from\r\n`,
      undefined,
    ],
    [
      "no tag of another's name",
      `${FROM}DKIM-Signature: xd=example.com; s=s; h=from\r\n`,
      undefined,
    ],
    [
      "the last of several tags of a name",
      `${FROM}DKIM-Signature: d=bank.test; s=s; d=example.com\r\n`,
      `${FROM}DKIM-Signature: d=bank.test; s=s; d=example.com\r\n`,
      [EXAMPLE],
    ],
    [
      "no signature that is longer than any honest one",
      FROM + dkim("example.com", `from:${"x".repeat(8192)}`),
      undefined,
    ],
    [
      "a signature over 200 names",
      FROM + dkim("example.com", "from:".repeat(199) + "from"),
      FROM + dkim("example.com", "from:".repeat(199) + "from"),
      [EXAMPLE],
    ],
    ["none over 201", FROM + dkim("example.com", "from:".repeat(200) + "from"), undefined],
    [
      "499 fields that are covered",
      "From: a\r\n".repeat(499) + dkim("example.com"),
      "From: a\r\n".repeat(499) + dkim("example.com"),
      [EXAMPLE],
    ],
    ["nothing where more are covered", "From: a\r\n".repeat(500) + dkim("example.com"), undefined],
    [
      "nothing where more lines are covered than any honest message has",
      `From: a\r\n${" b\r\n".repeat(4000)}${dkim("example.com")}`,
      undefined,
    ],
    [
      "nothing where more octets are covered than any honest message has",
      `From: ${"a".repeat(256 * 1024)}\r\n${dkim("example.com")}`,
      undefined,
    ],
    [
      "a section however long whose other fields nobody has signed",
      `X-Long: ${"a".repeat(300 * 1024)}\r\n${FROM}${dkim("example.com")}`,
      FROM + dkim("example.com"),
      [EXAMPLE],
    ],
  ];
  for (const [what, section, header, keys = []] of table) {
    it(what, () => {
      const expected = header === undefined ? undefined : { header: `${header}\r\n`, keys };
      assert.deepEqual(given(section), expected);
    });
  }
});

describe("of more than six signatures", () => {
  const crowd = Array.from({ length: 6 }, (_, index) => dkim(`crowd${index}.test`)).join("");
  const table: readonly (readonly [signer: string, author: string, isSeen: boolean])[] = [
    ["example.com", "example.com", true],
    ["mail.example.com", "example.com", true],
    ["example.com", "mail.example.com", true],
    ["example-com.20230601.gappssmtp.com", "example.com", true],
    ["other.co.uk", "example.co.uk", true],
    ["badexample.com", "example.com", false],
    ["example.org", "example.com", false],
    ["com.test", "example.com", false],
  ];
  for (const [signer, author, isSeen] of table) {
    it(`the last, by ${signer}, is ${isSeen ? "" : "not "}looked at for ${author}`, () => {
      const keys = given(FROM + crowd + dkim(signer), [author])?.keys ?? [];
      assert.equal(keys.length, 6);
      assert.equal(keys.includes(`s._domainkey.${signer}`), isSeen);
    });
  }

  const ranks: readonly (readonly [author: string, nearer: string, farther: string])[] = [
    ["example.com", "example.com", "mail.example.com"],
    ["example.com", "example.com", "example-com.1.gappssmtp.com"],
    ["example.com", "mail.example.com", "another.com"],
    ["mail.example.com", "example.com", "other.example.com"],
    ["a.example.com", "b.a.example.com", "ba.example.com"],
    ["a.example.com", "a-example-com.1.gappssmtp.com", "b.example.com"],
    ["a.example.com", "b.example.com", "crowd.test"],
  ];
  for (const [author, nearer, farther] of ranks) {
    it(`six by ${farther} do not crowd out one by ${nearer}, for ${author}`, () => {
      const others = Array.from({ length: 6 }, (_, index) => dkim(farther, "from", `s${index}`));
      const keys = given(FROM + others.join("") + dkim(nearer), [author])?.keys ?? [];
      assert.equal(keys.length, 6);
      assert.ok(keys.includes(`s._domainkey.${nearer}`));
    });
  }

  it("those of the first four authors come first, and of no fifth", () => {
    const authors = Array.from({ length: AUTHORS_MAX + 1 }, (_, index) => `author${index}.test`);
    for (const [index, author] of authors.entries()) {
      const keys = given(
        FROM + crowd.replaceAll(".test", ".invalid") + dkim(author),
        [...authors.slice(0, AUTHORS_MAX).map((one) => one.replace(".test", ".one")), author].slice(
          index < AUTHORS_MAX ? 1 : 0,
        ),
      )?.keys;
      assert.equal(keys?.includes(`s._domainkey.${author}`), index < AUTHORS_MAX, author);
    }
  });
});
