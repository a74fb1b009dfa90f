// What an option is, and how one is made from a reader of values. The kinds are in option-types.ts.
//
// Invariant: reading never throws and never stops at the first problem; it collects all of them.

import { isTable } from "../base/table.ts";

export interface Problem {
  /** Dotted path: "transports.gmail.tls", "routers[2].driver". */
  readonly path: string;
  readonly message: string;
}

/** A named thing that an option's text points to; the loader checks that it exists. */
export type Reference = "domains" | "hosts" | "transport";

/** What an option means for the file as a whole: the loader holds it, whoever has declared the option. */
export interface Marks {
  /**
   * Who is in the list may relay, or may claim to be anybody who may; has a signature that proves that mail is ours; has
   * mail taken from everybody.
   */
  readonly grants?: "relay" | "proof" | "acceptance";
  /** Certificates that a client must show, which make a wide list beside them safe; or that clients are asked for one. */
  readonly certificates?: "required" | "asked";
  /** No two of them have the same value. */
  readonly isUnique?: true;
  /** An address with a port that the relay listens on. */
  readonly isBound?: true;
  /** It holds from the start of the relay to its end: a reload does not change it. */
  readonly isFixed?: true;
}

export interface Option<T> extends Marks {
  /** How the type reads in the documentation: "duration", "list of hosts". */
  readonly type: string;
  readonly doc: string;
  readonly required: boolean;
  /** The default as it would stand in the file; absent when there is none to show. */
  readonly shown?: string;
  readonly fallback?: T;
  readonly refersTo?: Reference;
  /** A file or directory: the loader makes it absolute before it is read. */
  readonly isPath?: true;
  /** All that it can be, when that is one of a few words. */
  readonly words?: readonly string[];
  /** Options inside this one, for tables and arrays of tables. */
  readonly inner?: Options<unknown>;
  /** What every value is, for a table whose keys the postmaster chooses. */
  readonly each?: Option<unknown>;
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

/** Turns a TOML value into T, or says in one clause what is wrong with it. */
export type Reader<T> = (value: unknown) => { readonly ok: T } | { readonly wrong: string };

export interface Declaration {
  readonly doc: string;
  readonly refersTo?: Reference;
  readonly isPath?: true;
}

/** A required option. Wrap it in `withDefault` or `optional` to make it less. */
export function declared<T>(type: string, about: Declaration, reader: Reader<T>): Option<T> {
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

/** A text that `parse` turns into something better, or calls wrong by giving undefined. */
export function parsedText<T>(
  type: string,
  about: Declaration & { readonly is: string },
  parse: (written: string) => T | undefined,
): Option<T> {
  const { is, ...rest } = about;
  return declared(type, rest, (value) => {
    const parsed = typeof value === "string" ? parse(value) : undefined;
    return parsed === undefined ? { wrong: `must be ${is}, not ${nameOf(value)}` } : { ok: parsed };
  });
}

/** The option with marks. */
export function marked<T>(marks: Marks, option: Option<T>): Option<T> {
  return { ...option, ...marks };
}

export function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

/** How a value of the file is called in a message. */
export function nameOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  if (isTable(value)) return "a table";
  return typeof value === "string" ? `the text ${JSON.stringify(value)}` : String(value);
}
