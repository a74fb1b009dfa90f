// One entry of an alias file: a list of items, as Exim's redirect router reads it. Commas separate items, outside of
// quotes. Quotes around a whole item are taken off first, and so never are part of an address; quotes around a local
// part alone ("a b"@example.com) are.
// Invariant: if an item is not understood, the whole entry is wrong, and no address is made of the item. So a pipe, a
// file, an :include: and a typing mistake delay mail, in quotes or not.

import type { Decision } from "../../src/contract/contract.ts";
import type { Mailbox } from "../../src/mail/envelope.ts";
import { parseMailbox } from "../../src/mail/address.ts";
import { LOCAL_ERROR, status, type Status } from "../../src/mail/status.ts";

export type AliasEntry =
  | { readonly to: readonly Mailbox[] }
  | { readonly decision: Decision }
  /** An item that is not an address, as it is written, and the reason: "is a pipe". */
  | { readonly wrong: string; readonly why: string };

/** One item. An item whose quote is not closed takes the rest of the entry. */
const ITEM = /(?:"(?:[^"\\]|\\.)*"?|[^,"])+/g;
const ENCLOSED = /^"((?:[^"\\]|\\.)*)"$/;

/** The start or a part of a command, a file or a variable in other programs: such an item is not a name. */
const NO_NAME = /^['`$~|/:]|^\.*\/|\|/;

/** `domain` is the domain for names without one, `ownDomain` the domain for names after a backslash. */
export function readAliasEntry(value: string, domain: string, ownDomain: string): AliasEntry {
  const to = new Map<string, Mailbox>();
  for (const { 0: item, index } of value.matchAll(ITEM)) {
    const written = item.trim();
    if (written === "") continue;
    const enclosed = ENCLOSED.exec(written)?.[1]?.trim();
    const decision = special(enclosed ?? value.slice(index).trimStart());
    if (decision !== undefined) return { decision };
    const mailbox = mailboxOf(enclosed ?? written, {
      domain,
      ownDomain,
      isEnclosed: enclosed !== undefined,
    });
    if (mailbox === undefined) {
      return { wrong: written, why: kindOf(enclosed ?? written) };
    }
    to.set(`${mailbox.localPart}@${mailbox.domain}`, mailbox);
  }
  return { to: [...to.values()] };
}

interface Reading {
  readonly domain: string;
  readonly ownDomain: string;
  readonly isEnclosed: boolean;
}

function mailboxOf(text: string, { domain, ownDomain, isEnclosed }: Reading): Mailbox | undefined {
  if (/^[|/:]/.test(text)) return undefined;
  // An item in quotes has no quotes inside; and a quoted name without a domain may be a typing mistake.
  if (isEnclosed && /["\\]/.test(text)) return undefined;
  const mailbox = parseMailbox(text);
  if (mailbox !== undefined) return mailbox;
  // As in Exim, "\alice" keeps the domain of the old address.
  const own = /^\\([^\\"@]+)$/.exec(text)?.[1];
  const name = own ?? text;
  if (/["@]/.test(name) || NO_NAME.test(name)) return undefined;
  return parseMailbox(`${name}@${own === undefined ? domain : ownDomain}`);
}

function kindOf(text: string): string {
  if (text.startsWith("|")) return "is a pipe, which is not possible here";
  if (/^[.~]*\//.test(text)) return "is a file, and not an address";
  if (/^:include:/i.test(text)) return "includes a file, which is not possible here";
  if (text.startsWith(":")) return "is an unknown special item";
  return "is not an address";
}

/**
 * Exim's special items. Anywhere in a list, such an item replaces the whole list. After `:fail:` and `:defer:`, the rest
 * of the list is text, commas included.
 */
function special(rest: string): Decision | undefined {
  const [, word = "", said = ""] = /^:(fail|defer|blackhole):\s*(.*)$/is.exec(rest) ?? [];
  switch (word.toLowerCase()) {
    case "fail":
      return {
        kind: "fail",
        status: worded(status(550, "1.1", "No such user here"), said),
        why: rest,
      };
    case "defer":
      return { kind: "defer", status: worded(LOCAL_ERROR, said), why: rest };
    case "blackhole":
      return { kind: "discard", why: rest };
    default:
      return undefined;
  }
}

/**
 * The reply with the text of the entry. As in Exim, the text may begin with a code of the same class, and an enhanced
 * code: "554 5.7.1 Go away". 421 is not allowed, because it would end the session.
 */
function worded(usual: Status, said: string): Status {
  const digit = Math.trunc(usual.code / 100);
  const codes = new RegExp(
    `^((?!421)${digit}\\d\\d)(?: ${digit}\\.(\\d{1,3}\\.\\d{1,3}))?(?: |$)`,
  ).exec(said);
  // The text is sent as a reply: printable ASCII (RFC 5321 4.2), in one line.
  const text =
    said
      .slice(codes?.[0].length ?? 0)
      .replaceAll(/[^ -~]/g, "?")
      .slice(0, 400) || usual.text;
  if (codes === null) return { ...usual, text };
  return status(Number(codes[1]), codes[2] ?? "0.0", text);
}
