import assert from "node:assert/strict";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { Decision } from "../../src/contract/contract.ts";
import { redirect } from "../../routers/redirect.ts";
import { statusLine } from "../../src/mail/status.ts";
import { problemsOf, readOptions } from "../conformance/driver.ts";
import { context, subject, testRouter } from "../conformance/router.ts";
import { fakeServices, recordingLog } from "../support/services.ts";

const directory = mkdtempSync(join(tmpdir(), "unseen-redirect-"));
after(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;
function aliases(text: string): string {
  const file = join(directory, `aliases-${(files += 1)}`);
  writeFileSync(file, text);
  // Old enough to be believed at once.
  utimesSync(file, 1, 1);
  return file;
}

const EXAMPLE = aliases(
  [
    "# people",
    "sales: Alice, bob@Example.NET, alice",
    "sales+eu: erika",
    "info@shop.example: carol@example.com",
    "info: dave",
    "list: a@example.net,",
    "  b@example.net",
    'quoted: "a, b"@example.net, "alice@example.com", "Bob"',
    "noreply: :blackhole: nobody reads this",
    "former: :fail: This person has left",
    "nobody: :FAIL:",
    "full: :defer: the mailbox is being moved",
    "empty:",
    "commas: , ,",
    "bad: alice, |/bin/sh",
    "path: /etc/passwd",
    "include: :include:/etc/passwd",
    'open: "alice, bob',
    "a@b: eve",
    "@example.com: catch",
    "evil: :fail: one\u00e9\u001b[0mtwo",
  ].join("\n"),
);

testRouter(redirect, { table: { file: EXAMPLE } });

const log = recordingLog();
function create(table: Record<string, unknown> = {}) {
  const read = readOptions(redirect, { file: EXAMPLE, ...table });
  return redirect.create(read, fakeServices({ log }));
}

async function decide(address: string, table?: Record<string, unknown>): Promise<Decision> {
  return create(table).route(subject(address), context());
}

async function targets(address: string, table?: Record<string, unknown>): Promise<string[]> {
  const decision = await decide(address, table);
  assert.ok(decision.kind === "redirect", JSON.stringify(decision));
  return decision.to.map((mailbox) => mailbox.address);
}

test("an entry gives its addresses, as they are written, each once", async () => {
  assert.deepEqual(await targets("sales@example.com"), [
    "Alice@example.com",
    "bob@Example.NET",
    "alice@example.com",
  ]);
  assert.deepEqual(await targets("list@example.com"), ["a@example.net", "b@example.net"]);
});

test("names without a domain get that of the address, or qualify_domain", async () => {
  assert.deepEqual(await targets("info@other.example"), ["dave@other.example"]);
  assert.deepEqual(await targets("info@other.example", { qualify_domain: "Example.org" }), [
    "dave@example.org",
  ]);
});

test("an entry for the whole address goes before one for its local part", async () => {
  assert.deepEqual(await targets("info@shop.example"), ["carol@example.com"]);
  assert.deepEqual(await targets("INFO+x@shop.example"), ["carol@example.com"]);
});

test("the domain of an entry is found as people write it", async () => {
  const file = aliases("info@b\u00fccher.example: bob\ninfo@Shop.Example.: carol\ninfo: dave\n");
  const cases = [
    ["info@xn--bcher-kva.example", "bob@xn--bcher-kva.example"],
    ["info@shop.example", "carol@shop.example"],
    ["info@other.example", "dave@other.example"],
  ] as const;
  for (const [address, target] of cases) {
    assert.deepEqual(await targets(address, { file }), [target]);
  }
});

test("a suffix is left out only when the address with it has no entry", async () => {
  assert.deepEqual(await targets("sales+eu@example.com"), ["erika@example.com"]);
  assert.equal((await targets("Sales+us@example.com")).length, 3);
});

test("a comma inside quotes separates nothing, and quotes around a whole item are taken off", async () => {
  assert.deepEqual(await targets("quoted@example.com"), [
    '"a, b"@example.net',
    "alice@example.com",
    "Bob@example.com",
  ]);
});

test("no entry, an empty one and one without a name are declined", async () => {
  for (const local of ["stranger", "empty", "commas", "+x", ""]) {
    assert.equal((await decide(`${local}@example.com`)).kind, "decline", local);
  }
});

test("a quoted local part that looks like an address is not that address", async () => {
  const hidden = { address: '"a@b"@example.com', localPart: "a@b", domain: "example.com" };
  const decision = await create().route({ mailbox: hidden, original: hidden }, context());
  assert.equal(decision.kind, "decline");
});

test(":blackhole: discards", async () => {
  assert.equal((await decide("noreply@example.com")).kind, "discard");
});

test(":fail: and :defer: speak for themselves", async () => {
  const cases = [
    ["former", "fail", 550, "5.1.1", "This person has left"],
    ["nobody", "fail", 550, "5.1.1", "No such user here"],
    ["full", "defer", 451, "4.3.0", "the mailbox is being moved"],
    ["evil", "fail", 550, "5.1.1", "one??[0mtwo"],
  ] as const;
  for (const [local, kind, code, enhanced, text] of cases) {
    const decision = await decide(`${local}@example.com`);
    assert.ok(decision.kind === kind, local);
    assert.deepEqual(decision.status, { code, enhanced, text });
  }
});

test(":fail:, :defer: and :blackhole: are the whole entry, wherever they stand; text goes on to the end", async () => {
  const file = aliases(
    'gone: :fail: Gone, as "Bob" said, for good\n' +
      "late: alice, :DEFER:later\nhole: alice,:blackhole:, bob\nboth: :blackhole:, :fail: no\n",
  );
  const gone = await decide("gone@example.com", { file });
  assert.ok(gone.kind === "fail");
  assert.equal(gone.status.text, 'Gone, as "Bob" said, for good');
  const late = await decide("late@example.com", { file });
  assert.ok(late.kind === "defer");
  assert.equal(late.status.text, "later");
  assert.equal((await decide("hole@example.com", { file })).kind, "discard");
  assert.equal((await decide("both@example.com", { file })).kind, "discard");
});

test("the text of :fail: and :defer: may begin with codes of its class", async () => {
  const cases = [
    [":fail: 554 5.7.1 Go away", "554 5.7.1 Go away"],
    [":fail: 552 too much", "552 5.0.0 too much"],
    [":fail: 521", "521 5.0.0 No such user here"],
    [":fail: 451 4.3.0 no", "550 5.1.1 451 4.3.0 no"],
    [":fail: 5541 is no code", "550 5.1.1 5541 is no code"],
    [":fail: 554 4.7.1 mixed", "554 5.0.0 4.7.1 mixed"],
    [":defer: 450 4.2.1 later", "450 4.2.1 later"],
    [":defer: 421 4.3.2 the session ends", "451 4.3.0 421 4.3.2 the session ends"],
  ] as const;
  for (const [entry, expected] of cases) {
    const decision = await decide("one@example.com", { file: aliases(`one: ${entry}\n`) });
    assert.ok(decision.kind === "fail" || decision.kind === "defer", entry);
    assert.equal(statusLine(decision.status), expected);
  }
});

test("what is no address defers the whole entry and is logged", async () => {
  for (const local of ["bad", "path", "include", "open"]) {
    const before = log.named("lookup.failed").length;
    const decision = await decide(`${local}@example.com`);
    assert.equal(decision.kind, "defer", local);
    assert.equal(log.named("lookup.failed").length, before + 1, local);
  }
  assert.deepEqual(log.named("lookup.failed")[0], {
    lookup: EXAMPLE,
    error: '"|/bin/sh" at "bad" is not an address',
  });
});

test("a file that is missing, a directory or not UTF-8 defers", async () => {
  const latin1 = aliases("");
  writeFileSync(latin1, Buffer.from("jos\u00e9: x\n", "latin1"));
  for (const file of [join(directory, "missing"), directory, latin1]) {
    const decision = await decide("sales@example.com", { file });
    assert.equal(decision.kind, "defer", file);
    assert.ok(decision.kind === "defer" && !decision.status.text.includes(directory));
  }
});

test("an entry is seen as soon as the file has it", async () => {
  const file = aliases("old: a\n");
  const router = create({ file });
  const ask = async () => router.route(subject("new@example.com"), context());
  assert.equal((await ask()).kind, "decline");
  writeFileSync(file, "old: a\nnew: b\n");
  assert.equal((await ask()).kind, "redirect");
});

test("a domain that is none is a problem", () => {
  const problems = problemsOf(redirect, { file: EXAMPLE, qualify_domain: "a b" });
  assert.match(problems.join("\n"), /^qualify_domain: must be a domain like "example.com"/);
});

describe("an item in quotes", () => {
  const addresses: readonly (readonly [string, readonly string[]])[] = [
    ['"alice@example.net"', ["alice@example.net"]],
    ['" alice@example.net "', ["alice@example.net"]],
    ['"alice"', ["alice@example.com"]],
    ['"alice","bob" , carol', ["alice@example.com", "bob@example.com", "carol@example.com"]],
    ['"alice", alice', ["alice@example.com"]],
    ['"a..b@example.net", .c.@example.net', ["a..b@example.net", ".c.@example.net"]],
    ['"a b"@example.net', ['"a b"@example.net']],
    ['"|x"@example.net', ['"|x"@example.net']],
    ["\\alice, bob", ["alice@example.com", "bob@example.com"]],
  ];
  for (const [entry, expected] of addresses) {
    test(`${entry} is ${expected.join(" and ")}`, async () => {
      assert.deepEqual(await targets("one@example.com", { file: aliases(`one: ${entry}\n`) }), [
        ...expected,
      ]);
    });
  }

  test("a name behind a backslash keeps its own domain, another has qualify_domain", async () => {
    const file = aliases("one: \\one, two\n");
    assert.deepEqual(await targets("one@example.com", { file, qualify_domain: "example.org" }), [
      "one@example.com",
      "two@example.org",
    ]);
  });

  for (const [entry, kind, text] of [
    ['":fail: Gone, for good"', "fail", "Gone, for good"],
    ['alice, ":fail: Gone", bob', "fail", "Gone"],
    ['":FAIL:"', "fail", "No such user here"],
    ['":defer: later"', "defer", "later"],
  ] as const) {
    test(`${entry} is ${kind} with its text`, async () => {
      const decision = await decide("one@example.com", { file: aliases(`one: ${entry}\n`) });
      assert.ok(decision.kind === kind);
      assert.equal(decision.status.text, text);
    });
  }

  test('":blackhole:" discards', async () => {
    const decision = await decide("one@example.com", { file: aliases('one: ":blackhole:"\n') });
    assert.equal(decision.kind, "discard");
  });

  for (const entry of [
    '"|/usr/bin/vacation alice"',
    '" |/bin/sh"',
    '"/var/mail/alice"',
    '":include:/etc/aliases"',
    '":unknown:"',
    '":failure: x"',
    '"no domain"',
    '"alice, bob"',
    '"alice@example.com, bob@example.com"',
    '"Alice <alice@example.com>"',
    '"Alice" <alice@example.com>',
    '""',
    '" "',
    '"\\"alice\\"@example.com"',
    '"ali\\ce@example.com"',
    '"\\"a b\\""',
    '"\\alice"',
    '""alice""',
    '"alice"bob',
    '"alice"@"example.com"',
    '"alice" "bob"',
    '"alice',
    '"alice@example.com',
    '"alice\\"',
    'alice"',
    'ali"ce@example.com',
    '"',
    "\\alice@example.com",
    "\\",
    "'alice@example.com' x",
    "alice, |/bin/sh",
    "'|/bin/sh'",
    "'alice'",
    "'/var/mail/alice'",
    "\\|/bin/sh",
    "\\/var/mail/alice",
    "./Maildir/",
    "~/Mailbox",
    "../alice",
    "$HOME/mail",
    "`id`",
    "alice|sh",
    '"~/Mailbox"',
  ]) {
    test(`${entry} is no address, and defers`, async () => {
      const decision = await decide("one@example.com", { file: aliases(`one: bob, ${entry}\n`) });
      assert.equal(decision.kind, "defer");
    });
  }
});
