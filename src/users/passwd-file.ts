// The text of a passwd-file as Dovecot reads it: user:password:uid:gid:gecos:home:shell:extra fields.
//
// Invariants:
// - A change touches one line, or adds one. All other octets stay: comments, fields and schemes of others, line ends.
// - The text has one character for each octet of the file, so that nothing is lost in a file that is not UTF-8.
// - As in Dovecot, the first line of a user counts.

import { argon2Of } from "./argon2.ts";

export type Role = "none" | "auditor" | "admin";

/** One user of the file. */
export interface User {
  /** In lower case. */
  readonly address: string;
  /** The scheme and the hash, as written: "{ARGON2ID}$argon2id$…". */
  readonly password: string;
  readonly role: Role;
  /** The secret of the second factor, base32; absent without a second factor. */
  readonly totp?: string;
  /** Whether the password must be changed at the next login on the web. */
  readonly mustChange: boolean;
}

/** The changes that a line may get. */
export interface Change {
  /** The scheme and the hash. */
  readonly password?: string;
  readonly role?: Role;
  /** The secret; null takes the second factor away. */
  readonly totp?: string | null;
  readonly mustChange?: boolean;
}

const ROLE = "unseen_role";
const TOTP = "unseen_totp";
const MUST_CHANGE = "unseen_change";

/** Position of the extra fields, which hold the rest of the line, colons included. */
const EXTRA = 7;

export class PasswdFile {
  /** With their ends. */
  readonly #lines: string[];

  constructor(octets: Buffer) {
    this.#lines = octets.toString("latin1").match(/[^\n]*\n|[^\n]+$/g) ?? [];
  }

  get octets(): Buffer {
    return Buffer.from(this.#lines.join(""), "latin1");
  }

  /** In the order of the file. */
  get users(): readonly User[] {
    const users = new Map<string, User>();
    for (const line of this.#lines) {
      const user = userOf(line);
      if (user !== undefined && !users.has(user.address)) users.set(user.address, user);
    }
    return [...users.values()];
  }

  /** `address` in any case. */
  find(address: string): User | undefined {
    const index = this.#indexOf(address);
    return index === -1 ? undefined : userOf(this.#lines[index] ?? "");
  }

  /** Adds a user that is not in the file. `password` is the scheme and the hash. */
  add(address: string, change: Change & { readonly password: string }): void {
    const last = this.#lines.pop();
    if (last !== undefined) this.#lines.push(last.endsWith("\n") ? last : `${last}\n`);
    const fields = [octetsOf(address), change.password, "", "", "", "", ""];
    this.#lines.push(changed(`${fields.join(":")}:\n`, change));
  }

  /** Returns false if there is no such user. */
  change(address: string, change: Change): boolean {
    const index = this.#indexOf(address);
    const line = this.#lines[index];
    if (line === undefined) return false;
    this.#lines[index] = changed(line, change);
    return true;
  }

  /** Takes out all lines of the user. Returns false if there are none. */
  remove(address: string): boolean {
    const before = this.#lines.length;
    for (let at = this.#indexOf(address); at !== -1; at = this.#indexOf(address)) {
      this.#lines.splice(at, 1);
    }
    return this.#lines.length < before;
  }

  /** Takes the end of the last line away, as in a file whose last line has none. */
  dropLastLineEnd(): void {
    const last = this.#lines.pop();
    if (last !== undefined) this.#lines.push(last.replace(/\n$/, ""));
  }

  #indexOf(address: string): number {
    const wanted = octetsOf(address).toLowerCase();
    return this.#lines.findIndex((line) => nameOf(line)?.toLowerCase() === wanted);
  }
}

/** The password field for a new password. */
export async function passwordFieldOf(password: string): Promise<string> {
  return `{ARGON2ID}${await argon2Of(password)}`;
}

/** One character for each octet. */
function octetsOf(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** The user field of a line; undefined for a comment, an empty line, or a line without a password. */
function nameOf(line: string): string | undefined {
  const colon = line.indexOf(":");
  return colon < 1 || line.startsWith("#") ? undefined : line.slice(0, colon);
}

function userOf(line: string): User | undefined {
  const name = nameOf(line);
  if (name === undefined) return undefined;
  const { fields } = split(line);
  const extra = wordsOf(fields.slice(EXTRA).join(":"));
  const role = extra.get(ROLE);
  const totp = extra.get(TOTP);
  return {
    address: Buffer.from(name, "latin1").toString("utf8").toLowerCase(),
    password: fields[1] ?? "",
    role: role === "auditor" || role === "admin" ? role : "none",
    ...(totp === undefined || totp === "" ? {} : { totp }),
    mustChange: extra.get(MUST_CHANGE) === "1",
  };
}

function split(line: string): { fields: string[]; end: string } {
  const [end = ""] = /\r?\n$/.exec(line) ?? [];
  return { fields: line.slice(0, line.length - end.length).split(":"), end };
}

function wordsOf(extra: string): ReadonlyMap<string, string> {
  const words = new Map<string, string>();
  for (const word of extra.split(/[ \t]+/)) {
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    if (!words.has(name)) words.set(name, equals < 0 ? "" : word.slice(equals + 1));
  }
  return words;
}

/** The line with the change. Fields of others stay as they are, blanks between them included. */
function changed(line: string, { password, role, totp, mustChange }: Change): string {
  const { fields, end } = split(line);
  if (password !== undefined) fields[1] = password;
  while (fields.length <= EXTRA) fields.push("");
  let extra = fields.slice(EXTRA).join(":");
  if (role !== undefined) extra = withWord(extra, ROLE, role === "none" ? undefined : role);
  if (totp !== undefined) extra = withWord(extra, TOTP, totp ?? undefined);
  if (mustChange !== undefined) {
    extra = withWord(extra, MUST_CHANGE, mustChange ? "1" : undefined);
  }
  return [...fields.slice(0, EXTRA), extra].join(":") + end;
}

/** The extra fields with `name=value`, or without `name` if the value is undefined. */
function withWord(extra: string, name: string, value: string | undefined): string {
  const at = new RegExp(`(^|[ \\t]+)${name}(?:=[^ \\t]*)?(?=[ \\t]|$)`, "g");
  const rest = extra.replaceAll(at, (_, blanks: string) => (blanks === "" ? "\0" : ""));
  const bare = rest.replace(/\0[ \t]*/, "");
  if (value === undefined) return bare;
  return bare === "" ? `${name}=${value}` : `${bare} ${name}=${value}`;
}
