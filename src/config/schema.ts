// The kit in which every option is declared, once, beside the code that uses it. One declaration gives the
// type, the check, the default, docs/config.md and the comment in etc/routers.toml.
//
// Invariant: reading never throws and never stops at the first problem; it collects all of them.

import { resolve } from "node:path";

export interface Problem {
  /** Dotted path: "transports.gmail.tls", "routers[2].driver". */
  readonly path: string;
  readonly message: string;
}

/** A named thing that an option's text points to; the loader checks that it exists. */
export type Reference = "domains" | "hosts" | "transport";

export interface Option<T> {
  /** How the type reads in the documentation: "duration", "list of hosts". */
  readonly type: string;
  readonly doc: string;
  readonly required: boolean;
  /** The default as it would stand in the file; absent when there is none to show. */
  readonly shown?: string;
  readonly fallback?: T;
  readonly refersTo?: Reference;
  /** Options inside this one, for tables and arrays of tables. */
  readonly inner?: Options<unknown>;
  read(value: unknown, path: string, problems: Problem[]): T | undefined;
}

/** The declared options of one table of the configuration file. */
export interface Options<T> {
  readonly fields: Readonly<Record<string, Option<unknown>>>;
  /** Undefined when there were problems. Unknown keys are problems. */
  read(table: unknown, path: string, problems: Problem[]): T | undefined;
}

/** The values that a declaration gives: `type SmtpOptions = Values<typeof smtpOptions>`. */
export type Values<O> = O extends Options<infer T> ? T : never;

type FieldValues<F extends Record<string, Option<unknown>>> = {
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
      for (const key of Object.keys(table)) {
        if (!Object.hasOwn(fields, key)) {
          problems.push({
            path: join(path, key),
            message: `unknown option${suggestion(key, Object.keys(fields))}`,
          });
        }
      }
      const values: Record<string, unknown> = {};
      for (const [key, option] of Object.entries(fields)) {
        values[key] = readField(option, table[key], join(path, key), problems);
      }
      return problems.length === before ? (values as FieldValues<F>) : undefined;
    },
  };
}

function readField(option: Option<unknown>, value: unknown, path: string, problems: Problem[]) {
  if (value !== undefined) return option.read(value, path, problems);
  if (option.required) problems.push({ path, message: `is missing (${option.type})` });
  return option.fallback;
}

export function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

export function isTable(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
  );
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  if (typeof value === "object") return "a table";
  return typeof value === "string" ? `the text ${JSON.stringify(value)}` : JSON.stringify(value);
}

// ---- how an option is made ----

/** Turns a TOML value into T, or says in one clause what is wrong with it. */
type Reader<T> = (value: unknown) => { readonly ok: T } | { readonly wrong: string };

interface Declaration {
  readonly doc: string;
  readonly refersTo?: Reference;
}

/** A required option. Wrap it in `withDefault` or `optional` to make it less. */
function declared<T>(type: string, about: Declaration, reader: Reader<T>): Option<T> {
  return {
    type,
    required: true,
    ...about,
    read(value, path, problems) {
      const result = reader(value);
      if ("ok" in result) return result.ok;
      problems.push({ path, message: result.wrong });
      return undefined;
    },
  };
}

/** `shown` is the default in the file's own notation; it is read by the same reader as the user's text. */
export function withDefault<T>(base: Option<T>, shown: unknown): Option<T> {
  const problems: Problem[] = [];
  const fallback = base.read(shown, "default", problems);
  if (fallback === undefined) throw new Error(`wrong default: ${problems[0]?.message}`);
  return { ...base, required: false, fallback, shown: JSON.stringify(shown) };
}

/** No value when it is not given; `meaning` says what happens then ("from /etc/resolv.conf"). */
export function optional<T>(base: Option<T>, meaning?: string): Option<T | undefined> {
  return { ...base, required: false, ...(meaning === undefined ? {} : { shown: meaning }) };
}

export function text(doc: string, pattern?: { test: RegExp; is: string }): Option<string> {
  return declared("text", { doc }, (value) => {
    if (typeof value !== "string") return { wrong: `must be a text, not ${nameOf(value)}` };
    if (value === "") return { wrong: "must not be empty" };
    if (pattern !== undefined && !pattern.test.test(value)) {
      return { wrong: `must be ${pattern.is}, not ${JSON.stringify(value)}` };
    }
    return { ok: value };
  });
}

/** A file or directory as it stands in the file; whoever uses it resolves it with `resolvePath`. */
function pathOption(doc: string): Option<string> {
  const about = { test: /^[^\0]+$/, is: "a path without NUL" };
  return { ...text(doc, about), type: "path" };
}

export { pathOption as path };

/** Relative paths start at the directory of the configuration file. */
export function resolvePath(configDirectory: string, written: string): string {
  return resolve(configDirectory, written);
}

export function flag(doc: string): Option<boolean> {
  return declared("true or false", { doc }, (value) =>
    typeof value === "boolean"
      ? { ok: value }
      : { wrong: `must be true or false, not ${nameOf(value)}` },
  );
}

export function integer(doc: string, least = 0, most = Number.MAX_SAFE_INTEGER): Option<number> {
  return declared("whole number", { doc }, (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
      ? { ok: value }
      : { wrong: `must be a whole number from ${least} to ${most}, not ${nameOf(value)}` },
  );
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Milliseconds, or undefined when the text is no duration. "90s", "1h30m". */
export function parseDuration(value: string): number | undefined {
  if (!/^(?:\d{1,9}[smhdw])+$/.test(value)) return undefined;
  let total = 0;
  for (const [, count, unit] of value.matchAll(/(\d+)([smhdw])/g)) {
    total += Number(count) * (DURATION_UNITS[unit ?? ""] ?? Number.NaN);
  }
  return total;
}

/** In milliseconds. */
export function duration(doc: string): Option<number> {
  return declared("duration", { doc }, (value) => {
    const parsed = typeof value === "string" ? parseDuration(value) : undefined;
    return parsed === undefined
      ? { wrong: `must be a duration like "90s", "15m", "2h" or "4d", not ${nameOf(value)}` }
      : { ok: parsed };
  });
}

const SIZE_UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** In bytes. Units are binary. */
export function size(doc: string): Option<number> {
  return declared("size", { doc }, (value) => {
    const match = /^(\d{1,9})([KMG]?)$/.exec(typeof value === "string" ? value : "");
    return match === null
      ? { wrong: `must be a size like "64K" or "50M", not ${nameOf(value)}` }
      : { ok: Number(match[1]) * (SIZE_UNITS[match[2] ?? ""] ?? Number.NaN) };
  });
}

/** Octal file permissions: "0600". */
export function fileMode(doc: string): Option<number> {
  return declared("file mode", { doc }, (value) =>
    typeof value === "string" && /^0?[0-7]{3}$/.test(value)
      ? { ok: Number.parseInt(value, 8) }
      : { wrong: `must be an octal mode like "0600", not ${nameOf(value)}` },
  );
}

export function oneOf<const T extends string>(doc: string, words: readonly T[]): Option<T> {
  return declared(words.map((word) => `"${word}"`).join(" or "), { doc }, (value) => {
    const found = words.find((word) => word === value);
    if (found !== undefined) return { ok: found };
    const near = typeof value === "string" ? suggestion(value, words) : "";
    return {
      wrong: `must be ${words.map((word) => `"${word}"`).join(" or ")}, not ${nameOf(value)}${near}`,
    };
  });
}

/** A list of texts; one text is a list of one. `check` says what is wrong with an item, if anything. */
export function list(
  doc: string,
  check: (item: string) => string | undefined = () => undefined,
  kind: { type?: string; refersTo?: Reference } = {},
): Option<readonly string[]> {
  const { type = "list of texts", ...reference } = kind;
  return declared(type, { doc, ...reference }, (value) => {
    const items: unknown[] =
      typeof value === "string" ? [value] : Array.isArray(value) ? value : [];
    if (typeof value !== "string" && !Array.isArray(value)) {
      return { wrong: `must be a list of texts, not ${nameOf(value)}` };
    }
    const texts: string[] = [];
    for (const item of items) {
      if (typeof item !== "string")
        return { wrong: `has an item that is no text: ${nameOf(item)}` };
      const wrong = check(item);
      if (wrong !== undefined) return { wrong: `item ${JSON.stringify(item)}: ${wrong}` };
      texts.push(item);
    }
    return { ok: texts };
  });
}

/** The name of a transport. */
export function transportName(doc: string): Option<string> {
  return { ...text(doc), type: "name of a transport", refersTo: "transport" };
}

/** A table inside a table. */
export function nested<T>(doc: string, inner: Options<T>): Option<T> {
  return {
    type: "table",
    doc,
    required: true,
    inner: inner,
    read: (value, path, problems) => inner.read(value, path, problems),
  };
}

/** `[[name]]`: tables in the order of the file. */
export function tables<T>(doc: string, inner: Options<T>): Option<readonly T[]> {
  return {
    type: "tables",
    doc,
    required: true,
    inner: inner,
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

// ---- misspelt words ----

/** `, did you mean "x"?` when a known word is near, else "". */
export function suggestion(word: string, known: readonly string[]): string {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best === undefined ? "" : `, did you mean "${best}"?`;
}

/** Levenshtein distance, in one row. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
