// The mailboxes in From and Sender (RFC 5322 3.4), read so that every address counts that some mail program may show.
//
// Invariant: a text that programs may read in several ways is no list of mailboxes. So nobody hides another author in
// a comment, a group or a second address.

import { parseMailbox } from "../../mail/address.ts";
import type { Mailbox } from "../../mail/envelope.ts";

/** Octets of the longest field that is read. Honest ones are shorter. */
const VALUE_MAX = 8192;

/**
 * The mailboxes of an unfolded field. `value` has one character for each octet. Undefined if it is not a list of one or
 * more mailboxes.
 */
export function mailboxesOf(value: string): readonly Mailbox[] | undefined {
  if (value.length > VALUE_MAX) return undefined;
  const items = itemsOf(Buffer.from(value, "latin1").toString("utf8"));
  if (items === undefined) return undefined;
  const found = items.map(mailboxesIn);
  const isList = found.length > 0 && found.every((mailboxes) => mailboxes !== undefined);
  return isList ? found.flat() : undefined;
}

interface Item {
  /** The text outside of angle brackets, without comments; quoted strings are left out. */
  phrase: string;
  /** As `phrase`, with its quoted strings. */
  text: string;
  /** The text in angle brackets; undefined without them. */
  angle: string | undefined;
}

/** The address of an item, and those in its unquoted phrase: some programs show them. */
function mailboxesIn({ phrase, text, angle }: Item): Mailbox[] | undefined {
  const address = parseMailbox((angle ?? text).trim());
  if (address === undefined) return undefined;
  if (angle === undefined) return [address];
  const shown = phrase.split(/\s+/).filter((word) => word.includes("@"));
  const others = shown.map((word) => parseMailbox(word));
  return others.every((other) => other !== undefined) ? [address, ...others] : undefined;
}

/** The items between commas; undefined for a group, or for a quote, a comment or a bracket without an end. */
function itemsOf(value: string): Item[] | undefined {
  const items: Item[] = [];
  let item: Item = { phrase: "", text: "", angle: undefined };
  let where: "phrase" | "angle" | "behind" = "phrase";
  for (let at = 0; at < value.length; at++) {
    const character = value[at] ?? "";
    if (character === '"' || character === "(") {
      const end = character === '"' ? endOfQuote(value, at) : endOfComment(value, at);
      if (end === undefined || (where === "behind" && character === '"')) return undefined;
      if (character === '"' && where === "angle") item.angle += value.slice(at, end);
      else if (character === '"') item.text += value.slice(at, end);
      else item.phrase += " ";
      at = end - 1;
    } else if (where === "angle") {
      if (character === ">") where = "behind";
      else if (character === "<" || character === ",") return undefined;
      else item.angle += character;
    } else if (character === ",") {
      items.push(item);
      item = { phrase: "", text: "", angle: undefined };
      where = "phrase";
    } else if (character === "<" && where === "phrase") {
      item.angle = "";
      where = "angle";
    } else if (/[<>:;\\[\]]/.test(character) || (where === "behind" && /\S/.test(character))) {
      return undefined;
    } else {
      item.phrase += character;
      item.text += character;
    }
  }
  if (where === "angle") return undefined;
  items.push(item);
  // Obsolete lists have empty items (RFC 5322 4.4).
  return items.filter(({ text, angle }) => angle !== undefined || text.trim() !== "");
}

function endOfQuote(value: string, start: number): number | undefined {
  for (let at = start + 1; at < value.length; at++) {
    if (value[at] === "\\") at++;
    else if (value[at] === '"') return at + 1;
  }
  return undefined;
}

function endOfComment(value: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < value.length; at++) {
    if (value[at] === "\\") at++;
    else if (value[at] === "(") depth++;
    else if (value[at] === ")" && --depth === 0) return at + 1;
  }
  return undefined;
}
