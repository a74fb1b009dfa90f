// redirect: turns an address into others, by an alias file. The new addresses go through the chain from its start.
// The file is an lsearch file, read again when it changes; Exim users know it as /etc/aliases:
//
//   sales: alice, bob@example.net
//   info@shop.example: carol@example.com
//   noreply: :blackhole:
//   former: :fail: This person has left
//
// Invariant: what cannot be read or understood defers. A mistake in the file delays mail, it never bounces it.

import { options, optional, parsedText, path, type Values } from "../src/config/schema.ts";
import type { Decision, RouterDriver } from "../src/contract.ts";
import type { Mailbox } from "../src/envelope.ts";
import type { LsearchAnswer } from "../src/lists/lists.ts";
import type { Log } from "../src/log.ts";
import { parseDomain, parseMailbox } from "../src/smtp/address.ts";
import { LOCAL_ERROR, status, type Status } from "../src/status.ts";

const redirectOptions = options({
  file: path(
    "The aliases, an lsearch file of `name: address, address` or `name@domain: address`. An entry with " +
      "`:fail: text`, `:defer: text` or `:blackhole:` is that, whatever stands before it; the text may begin with a reply code. " +
      "Of several addresses those that are good get the mail, and the others are on the postmaster's list.",
  ),
  qualify_domain: optional(
    parsedText(
      "domain",
      {
        doc: "The domain of new addresses that are written without one.",
        is: 'a domain like "example.com"',
      },
      parseDomain,
    ),
    "that of the old address",
  ),
});

/** Entries that are kept as they were read. */
const KNOWN_MAX = 100;

/**
 * Decisions:
 * - redirect: the file has an entry, with one address or more.
 * - decline: the file has no entry for the address, or an empty one. If the file is not believed, because it has lost
 *   its entries, an address that nobody else takes is deferred.
 * - discard: the entry has `:blackhole:`.
 * - fail: the entry has `:fail:`, with its text.
 * - defer: the entry has `:defer:`; or the file cannot be read, or an address in the entry is none.
 */
export const redirect: RouterDriver<Values<typeof redirectOptions>> = {
  name: "redirect",
  options: redirectOptions,
  create({ file, qualify_domain: qualifyDomain }, { log, lists }) {
    const aliases = lists.lsearch(file);
    /** Entries that were read already: a long one is asked for again and again, by every suffix of its name. */
    const known = new WeakMap<object, Map<string, Decision>>();
    const decisionOf = (table: object, value: string, entry: Entry) => {
      const decisions = known.get(table) ?? new Map<string, Decision>();
      known.set(table, decisions);
      const name = `${entry.key}\n${entry.domain}`;
      const read = decisions.get(name);
      if (read !== undefined) return read;
      const decision = addresses(value, entry, log);
      // An entry without a domain is another one for each domain that is written to.
      if (decisions.size >= KNOWN_MAX) decisions.clear();
      if (decision.kind === "redirect") decisions.set(name, decision);
      return decision;
    };
    return {
      route({ mailbox }) {
        const decide = (answer: LsearchAnswer) => {
          if ("error" in answer) return deferred(`${file} cannot be read: ${answer.error}`);
          const key = keysOf(mailbox).find((form) => answer.table.has(form));
          const value = key === undefined ? undefined : answer.table.get(key);
          if (key === undefined || value === undefined) return notIn(file, answer.doubt);
          const entry = { file, key, domain: qualifyDomain ?? mailbox.domain };
          return decisionOf(answer.table, value, entry);
        };
        const answer = aliases.read();
        return answer instanceof Promise ? answer.then(decide) : decide(answer);
      },
    };
  },
};

/** While a file is not believed, an alias may be missing in the list before it; whatever else takes the address may. */
function notIn(file: string, doubt: string | undefined): Decision {
  if (doubt === undefined) return { kind: "decline", why: `not in ${file}` };
  const why = `not in ${file} before it changed: it ${doubt}`;
  return { kind: "decline", why, otherwise: LOCAL_ERROR };
}

/** The address as it is, then without its "+suffix"; each with its domain first. */
function keysOf({ localPart, domain }: Mailbox): string[] {
  const whole = localPart.toLowerCase();
  if (whole === "") return [];
  const plus = whole.indexOf("+");
  const forms = plus > 0 ? [whole, whole.slice(0, plus)] : [whole];
  // A quoted local part may look like an address; it is not that address.
  return forms.flatMap((form) =>
    form.includes("@") ? [`${form}@${domain}`] : [`${form}@${domain}`, form],
  );
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

/**
 * A comma separates, outside of quotes. Pipes, files and :include: of other alias files are no addresses here,
 * though RFC 5321 would allow a local part to look like one.
 */
const ITEM = /(?:"(?:[^"\\]|\\.)*"?|[^,"])+/g;

interface Entry {
  readonly file: string;
  readonly key: string;
  readonly domain: string;
}

function addresses(value: string, { file, key, domain }: Entry, log: Log): Decision {
  const to = new Map<string, Mailbox>();
  for (const { 0: item, index } of value.matchAll(ITEM)) {
    const written = item.trim();
    if (written === "") continue;
    const decision = special(value.slice(index).trimStart());
    if (decision !== undefined) return decision;
    const mailbox = /^[|/:]/.test(written) ? undefined : parseAddress(written, domain);
    if (mailbox === undefined) {
      const error = `${JSON.stringify(written)} at "${key}" is no address`;
      log.event("lookup.failed", { lookup: file, error });
      return deferred(error);
    }
    to.set(`${mailbox.localPart}@${mailbox.domain}`, mailbox);
  }
  if (to.size === 0) return { kind: "decline", why: `the entry "${key}" in ${file} is empty` };
  return { kind: "redirect", to: [...to.values()] };
}

function parseAddress(written: string, domain: string): Mailbox | undefined {
  return parseMailbox(written) ?? parseMailbox(`${written}@${domain}`);
}

function deferred(why: string): Decision {
  return { kind: "defer", status: LOCAL_ERROR, why };
}
