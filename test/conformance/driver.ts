// What routers and transports have in common: a name, and options that are declared, documented and checked.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Option, Problem } from "../../src/options/options.ts";
import type { Driver } from "../../src/contract/contract.ts";

/** A table as it stands in routers.toml, without the generic options. */
export type OptionTable = Readonly<Record<string, unknown>>;

/** Reads the table as the configuration does; the test fails with the problems if it is wrong. */
export function readOptions<O, I>(driver: Driver<O, I>, table: OptionTable): O {
  const problems: Problem[] = [];
  const read = driver.options.read(table, "", problems);
  assert.deepEqual(problems, []);
  assert.ok(read !== undefined);
  return read;
}

/** What is wrong with a table, one "path: message" a problem. */
export function problemsOf<O, I>(driver: Driver<O, I>, table: OptionTable): string[] {
  const problems: Problem[] = [];
  driver.options.read(table, "", problems);
  return problems.map(({ path, message }) => `${path}: ${message}`);
}

/** Every value inside is frozen too, so that a driver that writes to its input fails. Buffers stay as they are. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}

/** The tests of the options. `example` gives a table that holds at least the required ones. */
export function testOptions<O, I>(
  driver: Driver<O, I>,
  example: (t: TestContext) => OptionTable | Promise<OptionTable>,
): void {
  const declared = Object.entries<Option<unknown>>(driver.options.fields);

  test("its name is one that a configuration can hold", () => {
    assert.match(driver.name, /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/);
  });

  test("every option has an Exim-style name, a type and a sentence of documentation", () => {
    for (const [name, option] of declared) {
      assert.match(name, /^[a-z][a-z0-9_]*$/);
      assert.notEqual(option.type, "", name);
      assert.match(option.doc, /^[A-Z0-9"].*\.$/s, `${name}: ${option.doc}`);
    }
  });

  test("the options of the example are read without a problem", async (t) => {
    assert.deepEqual(problemsOf(driver, await example(t)), []);
  });

  test("each required option is missed by its name", async (t) => {
    const table = await example(t);
    for (const [name, option] of declared) {
      const { [name]: _left, ...rest } = table;
      const missed = problemsOf(driver, rest).some((line) =>
        line.startsWith(`${name}: is missing`),
      );
      assert.equal(missed, option.required, name);
    }
  });

  test("an unknown option is a problem", async (t) => {
    const problems = problemsOf(driver, { ...(await example(t)), no_such_option: true });
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", /^no_such_option: unknown option/);
  });

  test("a value of the wrong type is a problem, never an exception", async (t) => {
    const table = await example(t);
    for (const [name, option] of declared) {
      const tables = option.inner === undefined ? [{}, [{}]] : [];
      for (const value of [null, new Date(0), Number.NaN, ...tables]) {
        assert.notDeepEqual(problemsOf(driver, { ...table, [name]: value }), [], name);
      }
    }
  });
}
