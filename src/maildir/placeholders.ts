// Directory names with placeholders: "/var/mail/{domain}/{local_part}". The values are canonical keys of our own
// lists, never text from the wire. Each value must still be one safe path component before it is used.

import { dirname } from "node:path";
import { suggestion } from "../options/options.ts";
import type { Account } from "../mail/account.ts";

const ACCOUNT_KEYS: Readonly<Record<string, keyof Account>> = {
  domain: "domain",
  local_part: "localPart",
  sender_domain: "senderDomain",
  sender_local_part: "senderLocalPart",
  account: "account",
  account_domain: "accountDomain",
  account_local_part: "accountLocalPart",
  folder: "folder",
};

/** A placeholder as Exim writes it. */
const EXPANSION = /\$\{?(?:sender_address_|sender_)?(?:domain|local_part)(?:_data)?\b\}?/;

type Expanded = { readonly kind: "path"; readonly path: string } | Unsafe;

export interface Unsafe {
  readonly kind: "unsafe";
  /** Names the placeholder, not the value. */
  readonly why: string;
  readonly value: string | undefined;
}

export interface DirectoryTemplate {
  readonly written: string;
  /** The directory above all directories that the template can name. */
  readonly root: string;
  /** The lowest directory that contains all of them, or is the only one. */
  readonly top: string;
  expand(account: Account): Expanded;
}

/** The template, or one clause that says what is wrong with the text. */
export function parseDirectory(
  written: string,
): { readonly ok: DirectoryTemplate } | { readonly wrong: string } {
  if (written === "" || written.includes("\0")) return { wrong: "must be a path without NUL" };
  // Text and names take turns: "a{b}c" is a, b, c.
  const parts = written.split(/\{([^{}]*)\}/);
  const names = parts.filter((_, index) => index % 2 === 1);
  const texts = parts.filter((_, index) => index % 2 === 0);
  const shell = EXPANSION.exec(written)?.[0];
  if (shell !== undefined) {
    return { wrong: `has "${shell}", which means nothing here: placeholders are like {domain}` };
  }
  if (texts.some((text) => /[{}]/.test(text))) return { wrong: "has a brace without its partner" };
  for (const name of names) {
    if (Object.hasOwn(ACCOUNT_KEYS, name)) continue;
    const known = Object.keys(ACCOUNT_KEYS);
    return { wrong: `has no placeholder {${name}}${suggestion(name, known)}` };
  }
  const root = dirname(`${texts[0] ?? ""}x`);
  return {
    ok: {
      written,
      root,
      top: names.length === 0 ? written : root,
      expand: (account) => expand(names, texts, account),
    },
  };
}

function expand(names: readonly string[], texts: readonly string[], account: Account): Expanded {
  let path = texts[0] ?? "";
  for (const [index, name] of names.entries()) {
    const key = ACCOUNT_KEYS[name];
    const value = key === undefined ? undefined : account[key];
    if (value === undefined) {
      return { kind: "unsafe", why: `no list of the router gave a value for {${name}}`, value };
    }
    if (key === "folder" ? !isSafeFolder(value) : !isSafeComponent(value)) {
      return { kind: "unsafe", why: `the value of {${name}} is no safe directory name`, value };
    }
    // An empty folder is the Maildir above it.
    if (value === "" && path.endsWith("/")) path = path.slice(0, -1);
    path += value + (texts[index + 1] ?? "");
  }
  return { kind: "path", path };
}

/** U+FFFD replaces bytes that are not UTF-8: it could make two accounts one. */
const FORBIDDEN = /[/\p{Cc}\p{Surrogate}\uFFFD]/u;

/** "" or a name of Maildir++: ".Sent", ".Archive.2026". */
function isSafeFolder(value: string): boolean {
  return (
    value === "" ||
    (/^(?:\.[^.]+)+$/.test(value) && !FORBIDDEN.test(value) && Buffer.byteLength(value) <= 255)
  );
}

function isSafeComponent(value: string): boolean {
  return (
    value !== "" &&
    !value.startsWith(".") &&
    !FORBIDDEN.test(value) &&
    Buffer.byteLength(value) <= 255
  );
}
