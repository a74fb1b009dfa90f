// One entry of an alias file: a list of items, as Exim's redirect router reads it. Commas separate items, outside of
// quotes. Quotes around a whole item are taken off first, and so never are part of an address; quotes around a local
// part alone ("a b"@example.com) are.
//
// Invariant: an item that is not understood is a problem of the whole entry, and never an address. So a pipe, a file,
// an :include: and a slip of the pen delay mail, in quotes or not.

import type { Decision } from "../../src/contract/contract.ts";
import type { Mailbox } from "../../src/mail/envelope.ts";
import { parseMailbox } from "../../src/mail/address.ts";
import { LOCAL_ERROR, status, type Status } from "../../src/mail/status.ts";

export type AliasEntry =
  | { readonly to: readonly Mailbox[] }
  | { readonly decision: Decision }
  /** An item that is no address, as it is written, and what it is: "is a pipe". */
  | { readonly wrong: string; readonly why: string };

/** An item that is not closed takes the rest of the entry. */
const ITEM = /(?:"(?:[^"\\]|\\.)*"?|[^,"])+/g;
const ENCLOSED = /^"((?:[^"\\]|\\.)*)"$/;

/** A command, a file or a variable, as other programs write them: no name that somebody is called by. */
const NO_NAME = /^['`$~|/:]|^\.*\/|\|/;

/** `domain` is that of names without one, `ownDomain` that of names behind a backslash. */
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
  // What was enclosed has no quotes of its own; and what is quoted without a domain may as well be a slip.
  if (isEnclosed && /["\\]/.test(text)) return undefined;
  const mailbox = parseMailbox(text);
  if (mailbox !== undefined) return mailbox;
  // As elsewhere "\alice" keeps her own domain.
  const own = /^\\([^\\"@]+)$/.exec(text)?.[1];
  const name = own ?? text;
  if (/["@]/.test(name) || NO_NAME.test(name)) return undefined;
  return parseMailbox(`${name}@${own === undefined ? domain : ownDomain}`);
}

function kindOf(text: string): string {
  if (text.startsWith("|")) return "is a pipe, and there is none here";
  if (/^[.~]*\//.test(text)) return "is a file, and not an address";
  if (/^:include:/i.test(text)) return "includes a file, which is not possible here";
  if (text.startsWith(":")) return "is an unknown special item";
  return "is no address";
}

/**
 * Exim's special items. Wherever one stands in a list, it is the whole list, and what follows `:fail:` and `:defer:`
 * is text to its end, commas included.
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
 * As in Exim, the text may begin with a code of the same class, and an enhanced one: "554 5.7.1 Go away". But 421 would
 * speak of the session.
 */
function worded(usual: Status, said: string): Status {
  const digit = Math.trunc(usual.code / 100);
  const codes = new RegExp(
    `^((?!421)${digit}\\d\\d)(?: ${digit}\\.(\\d{1,3}\\.\\d{1,3}))?(?: |$)`,
  ).exec(said);
  // It is sent as a reply: printable ASCII (RFC 5321 4.2), in one line.
  const text =
    said
      .slice(codes?.[0].length ?? 0)
      .replaceAll(/[^ -~]/g, "?")
      .slice(0, 400) || usual.text;
  if (codes === null) return { ...usual, text };
  return status(Number(codes[1]), codes[2] ?? "0.0", text);
}
