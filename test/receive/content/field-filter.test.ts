import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Proof, Secret } from "../../../src/receive/gate/gate.ts";
import { type Watching, watching } from "./watching.ts";

const SECRET: Secret = { name: "x-unseen-tenant", value: "s3cret" };
const PROOF: Proof = { headers: [SECRET] };

/** What comes out when the message goes in, in these pieces. */
function through(watch: Watching, ...pieces: readonly string[]): string {
  const out: Buffer[] = [];
  for (const piece of pieces) {
    const ready = watch.pass(Buffer.from(piece, "latin1"));
    if (ready !== undefined) out.push(ready);
  }
  const rest = watch.end();
  if (rest !== undefined) out.push(rest);
  return Buffer.concat(out).toString("latin1");
}

const message = (...fields: readonly string[]) =>
  `${fields.map((field) => `${field}\r\n`).join("")}\r\nbody\r\n`;

describe("without a secret", () => {
  const messages = {
    "an ordinary one": message("From: a@example.org", "Subject: hello"),
    "one without a header": "\r\nbody\r\n",
    "one without a body": "From: a@example.org\r\n",
    "one with a header and no empty line": "From: a@example.org\r\nno field at all",
    "an empty one": "",
    "one with 8-bit bytes": message("Subject: gr\xfc\xdfe \xff"),
    "one with a header of almost 1 MiB": message(
      `X-Long: ${"x\r\n ".repeat(260_000)}`,
      "Subject: end",
    ),
  };
  for (const [name, text] of Object.entries(messages)) {
    test(`${name} passes as it is`, () => {
      const watch = watching([]);
      assert.equal(through(watch, text), text);
      assert.equal(watch.isProven, true);
    });
  }

  test("nothing is held back of a message from which nothing is to be taken", () => {
    const watch = watching([]);
    for (const piece of ["Received: one\r\nRece", "ived: two\r", "\n\r", "\nReceived: body\r\n"]) {
      assert.equal(watch.pass(Buffer.from(piece))?.toString(), piece);
    }
    assert.deepEqual([watch.end(), watch.hops], [undefined, 2]);
  });

  test("of any other only what may begin such a field is held back, until its end", () => {
    const watch = watching([PROOF]);
    const steps: [piece: string, passed: string][] = [
      ["Subject: x\r\n", "Subject: x\r\n"],
      ["X-Uns", ""],
      ["ent: y\r", "X-Unsent: y"],
      ["\nX-Unseen-Tenant", "\r\n"],
      [": s3cret\r\n", ""],
      [" t\r\n", ""],
      ["To: b\r\n", "X-Unseen-Tenant: s3cret\r\n t\r\nTo: b\r\n"],
      ["x-unseen-tenant \r\n", ""],
      [" : s3cret\r\n\r\nbo", "x-unseen-tenant \r\n : s3cret\r\n\r\nbo"],
      ["dy", "dy"],
    ];
    for (const [piece, passed] of steps) {
      assert.equal(watch.pass(Buffer.from(piece))?.toString() ?? "", passed, piece);
    }
    assert.equal(watch.end(), undefined);
  });
});

describe("the proof", () => {
  const cases: Readonly<Record<string, { field: string; proven: boolean }>> = {
    "as it is configured": { field: "X-Unseen-Tenant: s3cret", proven: true },
    "in other case, with more white space": { field: "x-UNSEEN-tenant :\t s3cret  ", proven: true },
    "on a folded line": { field: "X-Unseen-Tenant:\r\n s3cret", proven: true },
    "with another value": { field: "X-Unseen-Tenant: s3cres", proven: false },
    "with a value in other case": { field: "X-Unseen-Tenant: S3cret", proven: false },
    "with a longer value": { field: "X-Unseen-Tenant: s3crets", proven: false },
    "folded inside the value": { field: "X-Unseen-Tenant: s3\r\n cret", proven: false },
    "in the folded line of another field": {
      field: "Subject: hello\r\n X-Unseen-Tenant: s3cret",
      proven: false,
    },
    "as the end of another name": { field: "Not-X-Unseen-Tenant: s3cret", proven: false },
    "without a name": { field: ": s3cret", proven: false },
  };
  for (const [name, { field, proven }] of Object.entries(cases)) {
    test(`${name}: ${proven ? "it is found and taken out" : "it is none, and stays"}`, () => {
      const watch = watching([PROOF]);
      const out = through(watch, message("From: a@example.com", field, "To: b@example.org"));
      assert.equal(watch.isProven, proven);
      const kept = proven ? [] : [field];
      assert.equal(out, message("From: a@example.com", ...kept, "To: b@example.org"));
    });
  }

  test("in the body it proves nothing, and stays", () => {
    const text = `Subject: x\r\n\r\n${message("X-Unseen-Tenant: s3cret")}`;
    const watch = watching([PROOF]);
    assert.equal(through(watch, text), text);
    assert.equal(watch.isProven, false);
    const bare = watching([PROOF]);
    assert.equal(through(bare, `\r\n${text}`), `\r\n${text}`);
    assert.equal(bare.isProven, false);
  });

  test("every one of several is taken out, a wrong one of that name stays", () => {
    const watch = watching([PROOF]);
    const fields = ["X-Unseen-Tenant: s3cret", "X-Unseen-Tenant: guess", "X-Unseen-Tenant: s3cret"];
    assert.equal(through(watch, message(...fields)), message("X-Unseen-Tenant: guess"));
    assert.equal(watch.isProven, true);
  });

  test("as the last line, without an empty one behind it, it counts", () => {
    const watch = watching([PROOF]);
    assert.equal(
      through(watch, "From: a@example.com\r\nX-Unseen-Tenant: s3cret"),
      "From: a@example.com\r\n",
    );
    assert.equal(watch.isProven, true);
  });

  test("of every rule that was asked for must be there", () => {
    const other: Proof = { headers: [{ name: "x-other", value: "two" }] };
    const one = watching([PROOF, other]);
    through(one, message("X-Unseen-Tenant: s3cret"));
    assert.equal(one.isProven, false);
    const both = watching([PROOF, other]);
    assert.equal(through(both, message("X-Other: two", "X-Unseen-Tenant: s3cret")), message());
    assert.equal(both.isProven, true);
  });

  test("of several values any will do, and each that is there is taken out", () => {
    const changing: Proof = { headers: [SECRET, { name: "x-unseen-tenant", value: "new" }] };
    for (const values of [["s3cret"], ["new"], ["new", "s3cret"], ["s3cret", "new", "new"]]) {
      const watch = watching([changing]);
      const fields = values.map((value) => `X-Unseen-Tenant: ${value}`);
      assert.equal(through(watch, message("To: a", ...fields)), message("To: a"));
      assert.equal(watch.isProven, true, values.join(" "));
    }
    const watch = watching([changing]);
    const neither = message("X-Unseen-Tenant: s3cre", "X-Unseen-Tenant: news");
    assert.equal(through(watch, neither), neither);
    assert.equal(watch.isProven, false);
  });

  test("that names no header cannot be brought", () => {
    const watch = watching([{}]);
    through(watch, message("X-Unseen-Tenant: s3cret", ": "));
    assert.equal(watch.isProven, false);
  });

  test("that nobody asked for is taken out all the same: the secret stays with us", () => {
    const watch = watching([], [SECRET]);
    assert.equal(through(watch, message("X-Unseen-Tenant: s3cret", "To: b")), message("To: b"));
    assert.equal(watch.isProven, true);
  });

  test("is found behind a megabyte of other fields, of which nothing is held back", () => {
    const watch = watching([PROOF]);
    const other = `X-Other: ${"x".repeat(70)}\r\n`.repeat(12_000);
    for (let at = 0; at < other.length; at += 10_000) {
      const piece = other.slice(at, at + 10_000);
      const passed = watch.pass(Buffer.from(piece))?.length ?? 0;
      assert.ok(piece.length - passed < 100);
    }
    const text = message("X-Unseen-Tenant: s3cret", "To: b");
    assert.ok(through(watch, text).endsWith(message("To: b")));
    assert.equal(watch.isProven, true);
  });

  test("beyond 32 KB is none: the message is refused", () => {
    const watch = watching([PROOF]);
    const pieces = Array.from({ length: 40 }, () => ` ${"x".repeat(1000)}\r\n`);
    through(watch, "From: a@b.test\r\nX-Unseen-Tenant: s3cret\r\n", ...pieces, "\r\n");
    assert.equal(watch.isProven, false);
    assert.equal(watch.tooLong, true);
  });

  test("is not waited for in blanks without end", () => {
    const watch = watching([PROOF]);
    through(watch, "X-Unseen-Tenant", ...Array.from({ length: 40 }, () => " ".repeat(1000)));
    assert.equal(watch.tooLong, true);
  });

  test("of a header section beyond 1 MiB does not count: the message is refused, and nothing more of it passes", () => {
    const long = `X-Long: ${"x".repeat(1024 * 1024)}`;
    const watch = watching([PROOF]);
    const text = message("X-Unseen-Tenant: s3cret", long);
    const passed = through(watch, text.slice(0, 100), text.slice(100, -20), text.slice(-20));
    assert.equal(passed, text.slice("X-Unseen-Tenant: s3cret\r\n".length, 100));
    assert.equal(watch.tooLong, true);
  });
});

describe("hops", () => {
  test("are the Received fields of the header, in any case, and no other lines", () => {
    const watch = watching([]);
    const fields = [
      "Received: one",
      "RECEIVED : two",
      "X-Received: no",
      "Subject: x\r\n Received: no",
    ];
    through(watch, `${message(...fields)}Received: no\r\n`);
    assert.equal(watch.hops, 2);
  });
});

describe("pieces", () => {
  const text = message(
    "Received: one",
    "X-Unseen-Tenant:\r\n s3cret",
    "Received: two",
    "Subject: x",
  );
  const wanted = message("Received: one", "Received: two", "Subject: x");

  test("cut at every byte, the message comes out the same", () => {
    for (let cut = 0; cut <= text.length; cut++) {
      const watch = watching([PROOF]);
      assert.equal(through(watch, text.slice(0, cut), text.slice(cut)), wanted, `cut at ${cut}`);
      assert.deepEqual([watch.isProven, watch.hops], [true, 2], `cut at ${cut}`);
    }
  });

  test("one byte each, the message comes out the same, with a header or without", () => {
    assert.equal(through(watching([PROOF]), ...text.split("")), wanted);
    const bare = "\r\nReceived: body\r\n\r\nX-Unseen-Tenant: s3cret\r\n";
    const watch = watching([PROOF]);
    assert.equal(through(watch, ...bare.split("")), bare);
    assert.deepEqual([watch.isProven, watch.hops], [false, 0]);
  });

  test("a header in half a million pieces is no more work than one in one", () => {
    const watch = watching([]);
    const long = `X-Long: ${"x".repeat(500_000)}`;
    const bytes = Buffer.from(message("Received: one", long));
    let out = 0;
    for (let at = 0; at < bytes.length; at++)
      out += watch.pass(bytes.subarray(at, at + 1))?.length ?? 0;
    assert.equal(out + (watch.end()?.length ?? 0), bytes.length);
    assert.equal(watch.hops, 1);
  });
});
