import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HostLookup, HostSource, NameLookup, NameSource } from "../../src/lists/lookup.ts";
import { lookupProblem, lookupTable } from "../../src/lists/lookup.ts";
import { builtInLookups } from "../../src/lists/built-in.ts";
import { bench } from "./support.ts";

function names(find: NameSource["find"], closed: () => void = () => undefined): NameLookup {
  return {
    scheme: "fake",
    of: "names",
    shown: "fake:THING",
    doc: "is made up.",
    problem: (argument) => (argument === "" ? "names no thing" : undefined),
    nameOf: (argument) => argument.toLowerCase(),
    open: () => ({ find, close: () => Promise.resolve(closed()) }),
  };
}

function hosts(source: Partial<HostSource>): HostLookup {
  return {
    ...names(() => ({ kind: "none" })),
    of: "hosts",
    open: () => ({
      find: () => undefined,
      refresh: () => Promise.resolve(true),
      describe: () => ({ name: "thing", source: "dns", entries: ["192.0.2.1"], ignored: [] }),
      close: () => Promise.resolve(),
      ...source,
    }),
  };
}

const broken = () => {
  throw new Error("broken");
};
const rejects = () => Promise.reject(new Error("broken"));
const never = () => new Promise<never>(() => undefined);

describe("a list with a lookup of another's", () => {
  test("is in what the lookup finds, under the name that stands there", async () => {
    const lookups = lookupTable([
      names((keys) => {
        const key = keys.find((one) => one === "bob");
        return Promise.resolve(
          key === undefined ? { kind: "none" } : { kind: "found", key, value: "Smith" },
        );
      }),
    ]);
    using b = bench({ lookups });
    const list = b.lists.localParts(["fake:thing"]);
    const match = await list.match("Bob+lists");
    assert.deepEqual([match.kind, match.kind === "in" && match.key], ["in", "smith"]);
    assert.equal((await list.match("alice")).kind, "out");
    assert.equal((await b.lists.domains(["!fake:thing"]).match("bob")).kind, "out");
    assert.equal((await b.lists.domains(["!fake:thing"]).match("alice")).kind, "in");
  });

  for (const [what, find] of Object.entries({ throws: broken, rejects })) {
    test(`that ${what} defers, also where it is negated`, async () => {
      using b = bench({ lookups: lookupTable([names(find)]) });
      for (const item of ["fake:thing", "!fake:thing"]) {
        const match = await b.lists.domains([item]).match("x.test");
        assert.equal(match.kind, "defer");
        assert.match(match.why, /fake:thing cannot be read: Error: broken/);
      }
    });
  }

  test("that does not answer defers after five seconds", async () => {
    using b = bench({ lookups: lookupTable([names(never)]) });
    const match = b.lists.localParts(["fake:thing"]).match("bob");
    b.clock.advance(5000);
    assert.deepEqual(await match, {
      kind: "defer",
      why: "fake:thing cannot be read: does not answer",
    });
  });

  test("that is in doubt defers what it does not have", async () => {
    const doubt = { kind: "none", doubt: "has lost much" } as const;
    using b = bench({ lookups: lookupTable([names(() => doubt)]) });
    assert.equal((await b.lists.localParts(["fake:thing"]).match("bob")).kind, "defer");
  });

  test("shares its source with all that name it alike, and closes it behind the last", async () => {
    let opened = 0;
    let closed = 0;
    const lookup = names(
      () => ({ kind: "none" }),
      () => void closed++,
    );
    const counted: NameLookup = {
      ...lookup,
      open(name, services) {
        opened++;
        return lookup.open(name, services);
      },
    };
    using b = bench({ lookups: lookupTable([counted]) });
    await b.lists.localParts(["fake:thing", "!fake:THING"]).match("x");
    await b.lists.domains(["fake:Thing"]).match("x");
    await b.lists.lookup("fake:thing").find(["x"]);
    assert.deepEqual([opened, closed], [1, 0]);
    await b.lists.close();
    assert.equal(closed, 1);
  });
});

describe("a list of hosts with a lookup of another's", () => {
  test("that throws lets in nobody, also where it is negated", () => {
    using b = bench({ lookups: lookupTable([hosts({ find: broken })]) });
    for (const items of [["fake:thing"], ["!fake:thing", "192.0.2.1"], ["!fake:thing"]]) {
      assert.equal(b.lists.hosts(items).match("192.0.2.1").kind, "out", items.join(" "));
    }
  });

  test("that cannot be refreshed is asked again soon, and the log says so", async () => {
    let asked = 0;
    const refresh = () => {
      asked++;
      return rejects();
    };
    using b = bench({ lookups: lookupTable([hosts({ refresh })]), refreshInterval: 12_000 });
    b.lists.hosts(["fake:thing"]);
    await b.lists.refresh();
    assert.deepEqual(b.log.named("hosts.failed"), [
      { list: "fake:thing", error: "Error: broken", kept: 1 },
    ]);
    b.clock.advance(1100);
    assert.equal(asked, 2);
    await b.lists.close();
  });
});

test("a lookup that does not exist, or not for such a list, is told with those that do", () => {
  const lookups = lookupTable([...builtInLookups.values(), names(() => ({ kind: "none" }))]);
  const problem = (scheme: string, argument: string, of: "names" | "hosts") =>
    lookupProblem({ scheme, argument }, of, lookups);
  const inNames = 'is not a lookup for such a list; write "lsearch:FILE" or "fake:THING"';
  assert.equal(problem("mysql", "x", "names"), inNames);
  assert.equal(problem("spf", "x.test", "names"), inNames);
  assert.equal(
    problem("lsearch", "x", "hosts"),
    'is not a lookup for such a list; write "spf:DOMAIN"',
  );
  assert.equal(problem("fake", "", "names"), "names no thing");
  assert.equal(problem("fake", "x", "names"), undefined);
});
