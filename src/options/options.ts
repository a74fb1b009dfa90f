// The kit in which every option is declared, once, beside the code that uses it. One declaration gives the
// type, the check, the default, docs/config.md and the comment in etc/routers.toml.
// This file combines options into tables. Drivers import it through src/driver.ts.
//
// Invariant: reading never throws and never stops at the first problem; it collects all of them.
//
// Doors: list-types.ts, next-hops.ts, secret-file.ts.

import { given } from "../base/given.ts";
import { NAME } from "./option-types.ts";
import { join, nameOf } from "./option.ts";
import type { Option, Options, Problem } from "./option.ts";
import { suggestion } from "./suggestion.ts";
import { isTable } from "../base/table.ts";

export * from "./option-types.ts";
export { declared, join, marked, parsedText } from "./option.ts";
export type { Option, Options, Problem, Reference, Values } from "./option.ts";
export { suggestion } from "./suggestion.ts";

/** The values of a record of options, by the same keys. */
export type FieldValues<F extends Record<string, Option<unknown>>> = {
  readonly [K in keyof F]: F[K] extends Option<infer T> ? T : never;
};

export function options<F extends Record<string, Option<unknown>>>(
  fields: F,
): Options<FieldValues<F>> {
  return {
    fields,
    read(table, path, problems) {
      if (!isTable(table)) {
        problems.push({ path, message: `must be a table, not ${nameOf(table)}` });
        return undefined;
      }
      const before = problems.length;
      checkKeys(table, Object.keys(fields), path, problems);
      const values: Record<string, unknown> = {};
      for (const [key, option] of Object.entries(fields)) {
        values[key] = readOption(option, table[key], join(path, key), problems);
      }
      return problems.length === before ? (values as FieldValues<F>) : undefined;
    },
  };
}

/** The value, or the default when the option is missing. Undefined also when the value is wrong. */
export function readOption<T>(
  option: Option<T>,
  value: unknown,
  path: string,
  problems: Problem[],
): T | undefined {
  if (value !== undefined) return option.read(value, path, problems);
  if (option.required) problems.push({ path, message: `is missing (${option.type})` });
  return option.fallback;
}

/** Returns the values of all fields as `read` finds them, or undefined when one of them has none. */
export function readFields<F extends Record<string, Option<unknown>>>(
  fields: F,
  read: (name: string, option: Option<unknown>) => unknown,
): FieldValues<F> | undefined {
  const values = Object.entries(fields).map(
    ([name, option]) => [name, read(name, option)] as const,
  );
  if (values.some(([, value]) => value === undefined)) return undefined;
  return Object.fromEntries(values) as FieldValues<F>;
}

/** Reports every unknown key, together with the known key that was probably meant. */
export function checkKeys(
  table: Readonly<Record<string, unknown>>,
  known: readonly string[],
  path: string,
  problems: Problem[],
): void {
  for (const key of Object.keys(table)) {
    if (!known.includes(key)) {
      const message = `unknown option${suggestion(key, known)}`;
      problems.push({ path: join(path, key), message });
    }
  }
}

/** `shown` is the default in the file's own notation; it is read by the same reader as the user's text. */
export function withDefault<T>(base: Option<T>, shown: unknown): Option<T> {
  const problems: Problem[] = [];
  const fallback = base.read(shown, "default", problems);
  if (fallback === undefined || problems.length > 0) {
    throw new Error(`wrong default: ${problems[0]?.message}`);
  }
  return { ...base, required: false, fallback, shown: notation(shown) };
}

/** A plain value as TOML. */
function notation(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(notation).join(", ")}]` : JSON.stringify(value);
}

/**
 * An option that may be missing; its value is undefined then. `meaning` says what applies in that case ("from
 * /etc/resolv.conf").
 */
export function optional<T>(base: Option<T>, meaning?: string): Option<T | undefined> {
  return { ...base, required: false, ...given({ shown: meaning }) };
}

/** Adds a check that looks at several options at once. It is called only for tables without other problems. */
export function withCheck<T>(
  base: Options<T>,
  check: (values: T, report: (key: string, message: string) => void) => void,
): Options<T> {
  return {
    fields: base.fields,
    read(table, path, problems) {
      const values = base.read(table, path, problems);
      if (values === undefined) return undefined;
      const before = problems.length;
      check(values, (key, message) => problems.push({ path: join(path, key), message }));
      return problems.length === before ? values : undefined;
    },
  };
}

/** Returns `wanted` with the fixed options of `inForce`. `kept` names the fixed options that differ in `wanted`. */
export function keepFixed<T extends object>(
  { fields }: Options<T>,
  inForce: T,
  wanted: T,
): { readonly values: T; readonly kept: readonly string[] } {
  const fixed = Object.keys(fields).filter((key) => fields[key]?.isFixed) as (keyof T & string)[];
  const values = { ...wanted };
  for (const key of fixed) values[key] = inForce[key];
  return { values, kept: fixed.filter((key) => wanted[key] !== inForce[key]) };
}

/** A table inside a table. */
export function nested<T>(doc: string, inner: Options<T>): Option<T> {
  return {
    type: "table",
    doc,
    required: true,
    inner,
    read: (value, path, problems) => inner.read(value, path, problems),
  };
}

/** `[[name]]`: tables in the order of the file. */
export function tables<T>(doc: string, inner: Options<T>): Option<readonly T[]> {
  return {
    type: "tables",
    doc,
    required: true,
    inner,
    read(value, path, problems) {
      if (!Array.isArray(value)) {
        problems.push({ path, message: `must be written as [[${path}]]` });
        return undefined;
      }
      const rows = value.map((row, index) => inner.read(row, `${path}[${index}]`, problems));
      return rows.filter((row) => row !== undefined);
    },
  };
}

/** A table whose keys are names that the postmaster chooses. */
export function named<T>(doc: string, each: Option<T>): Option<ReadonlyMap<string, T>> {
  return {
    type: `table of ${each.type}`,
    doc,
    required: true,
    each,
    read(value, path, problems) {
      if (!isTable(value)) {
        problems.push({ path, message: `must be a table, not ${nameOf(value)}` });
        return undefined;
      }
      const values = new Map<string, T>();
      for (const [name, item] of Object.entries(value)) {
        checkName(name, join(path, name), problems);
        const read = each.read(item, join(path, name), problems);
        if (read !== undefined) values.set(name, read);
      }
      return values;
    },
  };
}

/** Reports a key that is not allowed as a name. */
export function checkName(name: string, path: string, problems: Problem[]): void {
  if (!NAME.test.test(name)) problems.push({ path, message: `must be ${NAME.is}` });
}
