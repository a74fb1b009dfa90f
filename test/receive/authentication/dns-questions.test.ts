// The DNS as mailauth is answered: what its answers and its errors are made of.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Answer, Resolver } from "../../../src/dns/dns.ts";
import { createQuestions } from "../../../src/receive/authentication/dns-questions.ts";
import { manualClock } from "../../support/clock.ts";
import { resolverAnswering } from "../../support/services.ts";

const found = <T>(...records: readonly T[]): Promise<Answer<T>> =>
  Promise.resolve({ kind: "found", records });

const RESOLVER: Resolver = {
  ...resolverAnswering({ kind: "no-such-name" }),
  txt: () => found("v=spf1 -all", "x".repeat(4096), "y".repeat(4097)),
  a: () => found("192.0.2.1", "192.0.2.2"),
  aaaa: () => found("2001:db8::1"),
  mx: () => found({ exchange: "mx.example.net", preference: 10 }),
};

/** The answer, or the code of the error. */
async function asked(resolver: Resolver, name: string, type: string): Promise<unknown> {
  const { ask, end } = createQuestions(resolver, manualClock(), 1000);
  try {
    return await ask(name, type);
  } catch (error) {
    assert.ok(error instanceof Error && "code" in error);
    return error.code;
  } finally {
    end();
  }
}

describe("an answer", () => {
  const table: readonly (readonly [type: string, answer: unknown])[] = [
    ["TXT", [["v=spf1 -all"], ["x".repeat(4096)]]],
    ["A", ["192.0.2.1", "192.0.2.2"]],
    ["AAAA", ["2001:db8::1"]],
    ["MX", [{ exchange: "mx.example.net", priority: 10 }]],
    ["CNAME", "ENOTFOUND"],
    ["PTR", "ESPFTIMELIMIT"],
    ["constructor", "ESPFTIMELIMIT"],
    ["", "ESPFTIMELIMIT"],
  ];
  for (const [type, answer] of table) {
    it(`for ${type || "no type"}`, async () => {
      assert.deepEqual(await asked(RESOLVER, "example.net", type), answer);
    });
  }

  it("has no more than a hundred texts", async () => {
    const texts = Array.from({ length: 101 }, (_, index) => `text ${index}`);
    const answer = await asked({ ...RESOLVER, txt: () => found(...texts) }, "example.net", "TXT");
    assert.deepEqual(
      answer,
      texts.slice(0, 100).map((text) => [text]),
    );
  });

  const errors: readonly (readonly [answer: Answer<never>, code: string])[] = [
    [{ kind: "no-such-name" }, "ENOTFOUND"],
    [{ kind: "no-data" }, "ENODATA"],
    [{ kind: "temporary", error: "SERVFAIL" }, "ETIMEOUT"],
  ];
  for (const [answer, code] of errors) {
    for (const type of ["TXT", "A", "AAAA", "MX"]) {
      it(`for ${type} of a name that is ${answer.kind} is ${code}`, async () => {
        assert.equal(await asked(resolverAnswering(answer), "example.net", type), code);
      });
    }
  }
});

describe("a name", () => {
  const long = `${"a".repeat(63)}.`.repeat(4);
  const names: readonly (readonly [name: string, isAsked: boolean])[] = [
    ["example.net", true],
    ["EXAMPLE.net.", true],
    ["_dmarc.example.net", true],
    [long.slice(0, 253), true],
    [long.slice(0, 255), false],
    [`${"a".repeat(64)}.net`, false],
    ["", false],
    [".", false],
    ["a..net", false],
    ["a b.net", false],
    ["b\u00fccher.example", false],
    ["a\0.net", false],
    ["a\n.net", false],
    ["192.0.2.1/24", false],
  ];
  for (const [name, isAsked] of names) {
    it(`${JSON.stringify(name.slice(0, 30))} of ${name.length} is ${isAsked ? "asked for" : "one that does not exist"}`, async () => {
      const questions: string[] = [];
      const txt = (question: string) => {
        questions.push(question);
        return found("x");
      };
      const answer = await asked({ ...RESOLVER, txt }, name, "TXT");
      assert.deepEqual([answer, questions], isAsked ? [[["x"]], [name]] : ["ENOTFOUND", []]);
    });
  }
});

describe("all questions together", () => {
  const never: Resolver = { ...RESOLVER, txt: () => new Promise(() => undefined) };

  it("have no answer when their time is over, however late they come", async () => {
    const clock = manualClock();
    const { ask } = createQuestions(never, clock, 1000);
    const open = ask("example.net", "TXT");
    clock.advance(999);
    assert.deepEqual(await ask("example.net", "A"), ["192.0.2.1", "192.0.2.2"]);
    clock.advance(1);
    await assert.rejects(open, { code: "ETIMEOUT" });
    await assert.rejects(ask("example.net", "A"), { code: "ETIMEOUT" });
  });

  it("have none when they are ended, and leave no timer behind", async () => {
    const clock = manualClock();
    const { ask, end } = createQuestions(never, clock, 1000);
    const open = ask("example.net", "TXT");
    assert.equal(clock.pending, 1);
    end();
    await assert.rejects(open, { code: "ETIMEOUT" });
    assert.equal(clock.pending, 0);
  });
});
