import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bench } from "./support.ts";

type Verdict = "in" | "out";

describe("a domain list", () => {
  const domains = {
    ours: ["example.com", "*.example.net", "!secret.example.org", "*.example.org"],
    but: ["!example.com"],
    both: ["+but", "example.com"],
    spare: ["Example.ORG"],
  };
  const cases: readonly (readonly [readonly string[], string, Verdict, string?])[] = [
    [["example.com"], "example.com", "in", "example.com"],
    [["EXAMPLE.com"], "example.COM", "in", "example.com"],
    [["example.com"], "www.example.com", "out"],
    [["example.com"], "badexample.com", "out"],
    [["*.example.com"], "www.example.com", "in", "www.example.com"],
    [["*.example.com"], "A.B.example.com", "in", "a.b.example.com"],
    [["*.example.com"], "example.com", "out"],
    [["*.example.com"], "badexample.com", "out"],
    [["*.example.com"], ".example.com", "out"],
    [["*"], "anything.test", "in"],
    [["*"], "", "in"],
    [["example.com"], "", "out"],
    [[], "example.com", "out"],
    [["!example.com"], "example.com", "out"],
    [["!example.com"], "example.org", "in"],
    [["!example.com", "example.org"], "example.net", "out"],
    [["!a.example.com", "*.example.com"], "a.example.com", "out"],
    [["!a.example.com", "*.example.com"], "b.example.com", "in", "b.example.com"],
    [["*.example.com", "!a.example.com"], "a.example.com", "in", "a.example.com"],
    [["*.example.com", "!a.example.com"], "other.test", "in"],
    [["!*"], "example.com", "out"],
    [["+ours"], "example.com", "in", "example.com"],
    [["+ours"], "a.example.org", "in", "a.example.org"],
    [["+ours"], "secret.example.org", "out"],
    [["+ours", "*"], "secret.example.org", "in"],
    [["!+ours"], "example.com", "out"],
    [["!+ours"], "example.org", "in"],
    [["!+ours", "*"], "secret.example.org", "in"],
    [["+but"], "example.net", "in"],
    [["+but"], "example.com", "out"],
    [["+both"], "example.com", "in", "example.com"],
    [["+both"], "example.net", "in"],
    [["+but", "+spare"], "example.com", "out"],
    [["+spare"], "example.org", "in", "example.org"],
  ];
  for (const [items, domain, kind, key] of cases) {
    test(`[${items.join(", ")}] and ${JSON.stringify(domain)}: ${kind}`, async () => {
      using b = bench({ domains });
      const match = await b.lists.domains(items).match(domain);
      assert.equal(match.kind, kind, match.why);
      assert.equal(match.kind === "in" ? match.key : undefined, key);
    });
  }

  test("takes domains from a file", async () => {
    using b = bench();
    b.write("domains", "example.com\nalias.test: Example.Com\n");
    const list = b.lists.domains(["lsearch:domains"]);
    const match = await list.match("ALIAS.test");
    assert.equal(match.kind === "in" && match.key, "example.com");
    assert.equal((await list.match("a+b.test")).kind, "out");
  });

  test("takes domains from a file as people write them, under their canonical name", async () => {
    using b = bench();
    b.write("domains", "Example.COM.\nb\u00fccher.example\nxn--strae-oqa.test\n");
    const list = b.lists.domains(["lsearch:domains"]);
    for (const domain of ["example.com", "xn--bcher-kva.example", "xn--strae-oqa.test"]) {
      const match = await list.match(domain);
      assert.equal(match.kind === "in" && match.key, domain);
    }
    assert.equal((await list.match("xn--bcher-kva.test")).kind, "out");
  });

  test("a list that contains itself, or that is not there, is an error and no loop", () => {
    using b = bench({ domains: { round: ["+about"], about: ["+round"] } });
    assert.throws(() => b.lists.domains(["+round"]), /contains itself/);
    assert.throws(() => b.lists.domains(["+nowhere"]), /no list \+nowhere/);
    assert.throws(() => b.lists.domains(["+constructor"]), /no list/);
  });

  test("says why", async () => {
    using b = bench({ domains });
    const why = async (items: readonly string[], domain: string) =>
      (await b.lists.domains(items).match(domain)).why;
    assert.equal(await why(["+ours"], "a.example.net"), '"a.example.net" matches *.example.net');
    assert.equal(
      await why(["a.test", "+ours"], "other.test"),
      '"other.test" is not in the list (last item +ours)',
    );
    assert.equal(await why(["!+ours"], "example.com"), '"example.com" is kept out by !+ours');
    assert.equal(
      await why(["!+ours"], "other.test"),
      '"other.test" is in the list, because the last item is !+ours',
    );
  });
});

describe("a local part list", () => {
  const accounts = "alice\nbob.smith: bob\ng+special: special\ngroup\n";
  const cases: readonly (readonly [readonly string[], string, Verdict, string?])[] = [
    [["alice"], "alice", "in", "alice"],
    [["alice"], "ALICE", "in", "alice"],
    [["Alice"], "alice", "in", "alice"],
    [["alice"], "alice+lists", "in", "alice"],
    [["alice"], "alice+caf_=x", "in", "alice"],
    [["alice"], "alice+a+b", "in", "alice"],
    [["alice"], "alicea", "out"],
    [["alice"], "+alice", "out"],
    [["alice"], "", "out"],
    [["alice"], "+", "out"],
    [["*"], "alice", "in"],
    [["!alice", "*"], "alice+x", "out"],
    [["!alice"], "bob", "in"],
    [["lsearch:accounts"], "Alice", "in", "alice"],
    [["lsearch:accounts"], "alice+lists", "in", "alice"],
    [["lsearch:accounts"], "Bob.Smith", "in", "bob"],
    [["lsearch:accounts"], "bob.smith+x", "in", "bob"],
    [["lsearch:accounts"], "bob", "out"],
    [["lsearch:accounts"], "group+bncABC", "in", "group"],
    [["lsearch:accounts"], "g+special", "in", "special"],
    [["lsearch:accounts"], "g+other", "out"],
    [["lsearch:accounts"], "", "out"],
    [["lsearch:accounts"], "+x", "out"],
    [["lsearch:accounts"], "__proto__", "out"],
    [["!lsearch:accounts", "*"], "alice+x", "out"],
    [["lsearch:accounts", "carol"], "carol+x", "in", "carol"],
    [["alice+x", "!alice", "*"], "alice+x", "in", "alice+x"],
    [["!alice", "alice+x"], "alice+x", "out"],
  ];
  for (const [items, localPart, kind, key] of cases) {
    test(`[${items.join(", ")}] and ${JSON.stringify(localPart)}: ${kind}`, async () => {
      using b = bench();
      b.write("accounts", accounts);
      const match = await b.lists.localParts(items).match(localPart);
      assert.equal(match.kind, kind, match.why);
      assert.equal(match.kind === "in" ? match.key : undefined, key);
    });
  }

  test("says why", async () => {
    using b = bench();
    b.write("accounts", accounts);
    const list = b.lists.localParts(["lsearch:accounts"]);
    assert.equal(
      (await list.match("Bob.Smith+x")).why,
      '"Bob.Smith+x" is in lsearch:accounts as "bob"',
    );
    assert.equal(
      (await list.match("carol")).why,
      '"carol" is not in the list (last item lsearch:accounts)',
    );
  });
});
