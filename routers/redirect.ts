// redirect: turns an address into others, by an alias file. The new addresses go through the chain from its start.
// The file is an lsearch file, read again when it changes; Exim users know it as /etc/aliases:
//
//   sales: alice, bob@example.net
//   info@shop.example: carol@example.com
//   noreply: :blackhole:
//   former: :fail: This person has left
//   team: "dave@example.com", "a b"@example.org
// Invariant: an entry that cannot be read or understood defers. A mistake in the file delays mail, and never bounces it.

import { options, optional, parsedText, path, type Values } from "../src/options/options.ts";
import type { Decision, RouterDriver } from "../src/contract/contract.ts";
import type { Mailbox } from "../src/mail/envelope.ts";
import type { Found } from "../src/lists/lookup.ts";
import { writtenDomains } from "../src/mail/written-domain.ts";
import type { Log } from "../src/observe/log.ts";
import { parseDomain } from "../src/mail/address.ts";
import { LOCAL_ERROR } from "../src/mail/status.ts";
import { readAliasEntry } from "./redirect/entry.ts";
import { surveyAliases } from "./redirect/survey.ts";

const redirectOptions = options({
  file: path(
    "The aliases, an lsearch file of `name: address, address` or `name@domain: address`. " +
      "`:fail: text`, `:defer: text` or `:blackhole:` anywhere in an entry decides for the whole entry; the text may begin with a reply code. " +
      "Quotes around a whole item are taken off. An entry with a pipe, a file, `:include:` or any other item that is not an address " +
      "defers its mail; `relayctl check` names it. " +
      "If some members of an alias fail, the others get the mail, and the failures are on the postmaster's list.",
  ),
  qualify_domain: optional(
    parsedText(
      "domain",
      {
        doc: "The domain for new addresses without a domain.",
        is: 'a domain like "example.com"',
      },
      parseDomain,
    ),
    "the domain of the old address",
  ),
});

/** Parsed entries in memory, for one file. */
const KNOWN_MAX = 100;

/**
 * Decisions:
 * - redirect: the file has an entry, with one address or more.
 * - decline: the file has no entry for the address, or an empty one. If the file is not believed, because it has lost
 *   its entries, an address that no other router takes is deferred.
 * - discard: the entry has `:blackhole:`.
 * - fail: the entry has `:fail:`, with its text.
 * - defer: the entry has `:defer:`; or the file cannot be read, or an item in the entry is not an address.
 */
export const redirect: RouterDriver<Values<typeof redirectOptions>> = {
  name: "redirect",
  options: redirectOptions,
  survey: ({ file, qualify_domain: domain }, spoolDirectory) =>
    surveyAliases(file, spoolDirectory, domain),
  create({ file, qualify_domain: qualifyDomain }, { log, lists }) {
    const aliases = lists.lookup(`lsearch:${file}`);
    /** Entries that are parsed already: a long entry is looked up again and again, with every suffix of its name. */
    const known = new Map<string, { readonly value: string; readonly decision: Decision }>();
    const decisionOf = (value: string, entry: Entry) => {
      const name = `${entry.key}\n${entry.ownDomain}`;
      const read = known.get(name);
      if (read?.value === value) return read.decision;
      const decision = addresses(value, entry, log);
      // An entry without a domain means other addresses for each domain of recipients.
      if (known.size >= KNOWN_MAX) known.clear();
      if (decision.kind === "redirect") known.set(name, { value, decision });
      return decision;
    };
    return {
      route({ mailbox }) {
        const decide = (found: Found) => {
          if (found.kind === "error") return deferred(`${file} cannot be read: ${found.error}`);
          if (found.kind === "none") return notIn(file, found.doubt);
          const { domain: ownDomain } = mailbox;
          const entry = { file, key: found.key, domain: qualifyDomain ?? ownDomain, ownDomain };
          return decisionOf(found.value, entry);
        };
        const found = aliases.find(keysOf(mailbox));
        return found instanceof Promise ? found.then(decide) : decide(found);
      },
    };
  },
};

/** The answer for a name that is not in the file. If the file is not believed, the name may be missing by mistake. */
function notIn(file: string, doubt: string | undefined): Decision {
  if (doubt === undefined) return { kind: "decline", why: `not in ${file}` };
  const why = `not in ${file} before it changed: it ${doubt}`;
  return { kind: "decline", why, otherwise: LOCAL_ERROR };
}

/** The keys to look up: the address, then the address without its "+suffix"; each with its domain first. */
function keysOf({ localPart, domain }: Mailbox): string[] {
  const lower = localPart.toLowerCase();
  if (lower === "") return [];
  const plus = lower.indexOf("+");
  const forms = plus > 0 ? [lower, lower.slice(0, plus)] : [lower];
  // A quoted local part may look like an address, and is another address.
  return forms.flatMap((form) => {
    const whole = writtenDomains(domain).map((written) => `${form}@${written}`);
    return form.includes("@") ? whole : [...whole, form];
  });
}

function addresses(value: string, { file, key, domain, ownDomain }: Entry, log: Log): Decision {
  const entry = readAliasEntry(value, domain, ownDomain);
  if ("decision" in entry) return entry.decision;
  if ("wrong" in entry) {
    const error = `${JSON.stringify(entry.wrong)} at "${key}" is not an address`;
    log.event("lookup.failed", { lookup: file, error });
    return deferred(error);
  }
  if (entry.to.length === 0) {
    return { kind: "decline", why: `the entry "${key}" in ${file} is empty` };
  }
  return { kind: "redirect", to: entry.to };
}

interface Entry {
  readonly file: string;
  readonly key: string;
  /** The domain for names without a domain. */
  readonly domain: string;
  /** The domain of the old address. */
  readonly ownDomain: string;
}

function deferred(why: string): Decision {
  return { kind: "defer", status: LOCAL_ERROR, why };
}
