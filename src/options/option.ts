// The type of an option, and functions that make one from a reader of values. The kinds are in option-types.ts.
//
// Invariant: reading never throws and never stops at the first problem; it collects all of them.

import { isTable } from "../base/table.ts";

export interface Problem {
  /** Dotted path: "transports.gmail.tls", "routers[2].driver". */
  readonly path: string;
  readonly message: string;
}

/** A kind of named things that an option's text points to. The loader checks that the name exists. */
export type Reference = "domains" | "hosts" | "transport";

/**
 * The meaning of an option for the file as a whole. The loader enforces it, in whatever section the option is declared.
 */
export interface Marks {
  /**
   * The right that a match in this list gives. "relay": the client may relay, or may claim to be a client that may. "proof": a
   * signature of the domain proves that mail is ours. "acceptance": mail for the domain is accepted from every client.
   */
  readonly grants?: "relay" | "proof" | "acceptance";
  /**
   * "required": certificates, one of which a client must show, so that a wide list of hosts beside them is safe.
   * "asked": whether clients are asked for a certificate.
   */
  readonly certificates?: "required" | "asked";
  /** Every value of this option in the file must be different. */
  readonly isUnique?: true;
  /** The value is an address with a port that the relay listens on. */
  readonly isBound?: true;
  /** The loader reads the file that the option names beforehand, to see whether its file system answers. */
  readonly isRead?: true;
  /** For the name of a transport: the driver that the transport must have. */
  readonly driver?: string;
  /** For lists of local parts: the option beside it whose match is `{domain}` in the items. */
  readonly domainOf?: string;
  /** The value stays the same from the start of the relay to its end: a reload does not change it. */
  readonly isFixed?: true;
}

export interface Option<T> extends Marks {
  /** How the type reads in the documentation: "duration", "list of hosts". */
  readonly type: string;
  readonly doc: string;
  readonly required: boolean;
  /** The default in the file's notation; absent when the documentation shows no default. */
  readonly shown?: string;
  readonly fallback?: T;
  readonly refersTo?: Reference;
  /** The items of the list may be lookups, of names or of hosts: the loader checks them. */
  readonly lookups?: "names" | "hosts";
  /** Returns the item in a text of the list; absent if the whole text is the item. */
  readonly itemOf?: (text: string) => string;
  /** The value is a file or directory: the loader makes it absolute before it is read. */
  readonly isPath?: true;
  /** A flag of a command that may be given several times: its value is the list of all texts. */
  readonly isRepeated?: true;
  /** The letter of a flag that has a short form too: "o" for `-o`. */
  readonly short?: string;
  /** All possible values, if the option is one of a few words. */
  readonly words?: readonly string[];
  /** Options inside this one, for tables and arrays of tables. */
  readonly inner?: Options<unknown>;
  /** The option that every value is read by, for a table whose keys the postmaster chooses. */
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

/** Turns a TOML value into T, or returns its problem in one clause. */
export type Reader<T> = (value: unknown) => { readonly ok: T } | { readonly wrong: string };

export interface Declaration {
  readonly doc: string;
  readonly refersTo?: Reference;
  readonly lookups?: "names" | "hosts";
  readonly isPath?: true;
}

/** A required option. `withDefault` and `optional` make it optional. */
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

/** A text option. `parse` returns its value, or undefined for an invalid text. */
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

/** The option with marks added. */
export function marked<T>(marks: Marks, option: Option<T>): Option<T> {
  return { ...option, ...marks };
}

export function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

/** The description of a file's value in a message. */
export function nameOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  if (isTable(value)) return "a table";
  return typeof value === "string" ? `the text ${JSON.stringify(value)}` : String(value);
}
