// Goes through a table of the file together with its declaration, before any option is read. For checks that need only
// the written text and the kind of the option, in whatever section the option is declared.

import { join, type Option } from "../options/options.ts";
import { isTable } from "../base/table.ts";

/** One option that is in the file. */
export interface Written {
  readonly option: Option<unknown>;
  readonly path: string;
  readonly value: unknown;
  /** Replaces the value in the table. */
  replace(value: unknown): void;
}

export function* writtenOptions(
  fields: Readonly<Record<string, Option<unknown>>>,
  table: Record<string, unknown>,
  path: string,
): Generator<Written> {
  for (const [key, option] of Object.entries(fields)) yield* walkOne(option, table, key, path);
}

function* walkOne(
  option: Option<unknown>,
  table: Record<string, unknown>,
  key: string,
  around: string,
): Generator<Written> {
  const value = table[key];
  if (value === undefined) return;
  const path = join(around, key);
  yield { option, path, value, replace: (other) => void (table[key] = other) };
  const { inner, each } = option;
  if (each !== undefined && isTable(value)) {
    for (const name of Object.keys(value)) yield* walkOne(each, value, name, path);
  }
  if (inner === undefined) return;
  if (isTable(value)) yield* writtenOptions(inner.fields, value, path);
  if (!Array.isArray(value)) return;
  for (const [index, row] of value.entries()) {
    if (isTable(row)) yield* writtenOptions(inner.fields, row, `${path}[${index}]`);
  }
}

/** The texts of a list as it was written, each with its path. One text is a list of one. */
export function textsOf(value: unknown, path: string): readonly { text: string; path: string }[] {
  if (typeof value === "string") return [{ text: value, path }];
  if (!Array.isArray(value)) return [];
  return value.flatMap((text: unknown, index) =>
    typeof text === "string" ? [{ text, path: `${path}[${index}]` }] : [],
  );
}
