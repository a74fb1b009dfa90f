// The suites that every lookup passes: `testNameLookup(lookup, { … })` and `testHostLookup(lookup, { … })`. They ask nothing
// about where a lookup looks, only that it keeps the contract of src/lists/lookup.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseAddress } from "../../src/base/cidr.ts";
import type {
  Found,
  HostLookup,
  HostServices,
  HostSource,
  Lookup,
  NameLookup,
  NameServices,
} from "../../src/lists/lookup.ts";
import { parseLookup } from "../../src/lists/lookup.ts";
import { manualClock } from "../support/clock.ts";
import { recordingLog, resolverAnswering } from "../support/services.ts";

interface LookupCase {
  /** Right and wrong arguments, as they are written in a list. */
  readonly right: readonly string[];
  readonly wrong: readonly string[];
}

export interface NameCase extends LookupCase {
  /** Makes a source that has "bob" with this value and nothing else; gives its argument. */
  readonly withBob: (value: string) => string;
  /** The argument of a source that cannot be asked. */
  readonly unreadable: string;
}

export interface HostCase extends LookupCase {
  /** The argument of a source, and services by which it has 192.0.2.1 and nothing else. */
  readonly argument: string;
  readonly services: Partial<HostServices>;
}

/** Keys that a peer may send. */
const HOSTILE = [
  "",
  "..",
  "../../etc/passwd",
  "nul\0byte",
  "crlf\r\nbob",
  "__proto__",
  "constructor",
  "#",
  "bob:",
  "two words",
  "jos\u00e9\u202e",
  "x".repeat(10_000),
];

function services(): NameServices & HostServices {
  const resolver = resolverAnswering({ kind: "temporary", error: "no DNS in this test" });
  return { clock: manualClock(), log: recordingLog(), resolver };
}

function testKind(lookup: Lookup, { right, wrong }: LookupCase): void {
  test("is written as it says, and has no IPv6 address or domain for a scheme", () => {
    assert.match(lookup.scheme, /^[a-z][a-z0-9-]*$/);
    assert.doesNotMatch(lookup.scheme, /^[0-9a-f]{1,4}$/);
    assert.equal(parseLookup(lookup.shown)?.scheme, lookup.scheme);
    assert.ok(lookup.doc.endsWith("."));
  });

  test("says what is wrong with an argument, and of no right one that it is wrong", () => {
    for (const argument of right) assert.equal(lookup.problem(argument), undefined, argument);
    for (const argument of wrong) {
      assert.match(lookup.problem(argument) ?? "nothing", /^[a-z].*[^.]$/, argument);
      assert.notEqual(lookup.problem(argument), undefined, argument);
    }
  });

  test("names a source alike however often it is asked, and the name names itself", () => {
    for (const argument of right) {
      const name = lookup.nameOf(argument, "/etc/unseen");
      assert.equal(lookup.nameOf(argument, "/etc/unseen"), name);
      assert.equal(lookup.nameOf(name, "/etc/unseen"), name);
    }
  });
}

export function testNameLookup(lookup: NameLookup, given: NameCase): void {
  const open = (argument: string) => lookup.open(lookup.nameOf(argument, "/"), services());
  const ask = async (argument: string, keys: readonly string[]): Promise<Found> => {
    const source = open(argument);
    try {
      return await source.find(keys);
    } finally {
      await source.close();
    }
  };

  describe(`the lookup ${lookup.scheme}`, () => {
    testKind(lookup, given);

    test("finds the first of the keys that it has, with its value as written", async () => {
      const argument = given.withBob("Bob.Smith");
      const found = { kind: "found", key: "bob", value: "Bob.Smith" };
      assert.deepEqual(await ask(argument, ["bob"]), found);
      assert.deepEqual(await ask(argument, ["alice", "bob", "carol"]), found);
    });

    test("has nothing under keys that are not there, whatever they are", async () => {
      const source = open(given.withBob(""));
      for (const key of HOSTILE) assert.deepEqual(await source.find([key]), { kind: "none" }, key);
      assert.deepEqual(await source.find([]), { kind: "none" });
      await source.close();
    });

    test("that cannot be asked is an error, never a no", async () => {
      const found = await ask(given.unreadable, ["bob"]);
      assert.equal(found.kind, "error");
    });

    test("begins, is accepted and closes without an error, whether it can be asked or not", async () => {
      for (const argument of [given.withBob(""), given.unreadable]) {
        const source = open(argument);
        source.begin?.();
        await source.accept?.();
        await source.close();
      }
    });

    test("surveys what is there and what is not", async () => {
      const [bob, nothing] = [given.withBob(""), given.unreadable].map((argument) =>
        lookup.survey?.(lookup.nameOf(argument, "/"), "/nowhere/at/all"),
      );
      assert.deepEqual((await bob)?.entries.map(({ key }) => key) ?? ["bob"], ["bob"]);
      assert.notEqual((await nothing)?.doubts.length, 0);
    });
  });
}

function has(source: HostSource, text: string): boolean {
  const address = parseAddress(text);
  assert.ok(address !== undefined);
  return source.find(address) !== undefined;
}

export function testHostLookup(lookup: HostLookup, given: HostCase): void {
  const open = (own: Partial<HostServices> = given.services): HostSource =>
    lookup.open(lookup.nameOf(given.argument, "/"), { ...services(), ...own });

  describe(`the lookup ${lookup.scheme}`, () => {
    testKind(lookup, given);

    test("lets in nobody before it has an answer", async () => {
      const source = open();
      assert.equal(has(source, "192.0.2.1"), false);
      assert.deepEqual(source.describe().entries, []);
      assert.equal(source.describe().source, "none");
      await source.close();
    });

    test("lets in those that the answer has, and nobody else", async () => {
      const source = open();
      assert.equal(await source.refresh(), true);
      assert.equal(has(source, "192.0.2.1"), true);
      for (const other of ["192.0.2.2", "0.0.0.0", "127.0.0.1", "::1", "::c000:201"]) {
        assert.equal(has(source, other), false, other);
      }
      assert.equal(source.describe().error, undefined);
      await source.close();
    });

    test("without an answer is not refreshed, says why, and lets in nobody", async () => {
      const source = open({});
      assert.equal(await source.refresh(), false);
      assert.equal(has(source, "192.0.2.1"), false);
      assert.notEqual(source.describe().error, undefined);
      await source.close();
    });
  });
}
