// Selects messages of the queue: the options that every queue command shares, and their meaning.

import { given } from "../../base/given.ts";
import type { AddressFilter, Filter, MessageState } from "../../spool/spool.ts";
import { parseDomain, parseMailbox } from "../../mail/address.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";

export interface FilterOptions {
  readonly sender?: string | undefined;
  readonly recipient?: string | undefined;
  readonly domain?: string | undefined;
  /** Milliseconds. */
  readonly olderThan?: number | undefined;
  readonly youngerThan?: number | undefined;
  readonly state?: "active" | "deferred" | "frozen" | undefined;
}

/** Whether the postmaster has given any filter. */
export function isFiltered(options: FilterOptions): boolean {
  const { sender, recipient, domain, olderThan, youngerThan, state } = options;
  const filters = [sender, recipient, domain, olderThan, youngerThan, state];
  return filters.some((filter) => filter !== undefined);
}

/** Throws CommandError for a text that is neither an address nor a domain. */
export function filterOf(options: FilterOptions, now: number): Filter {
  const { sender, olderThan, youngerThan, state } = options;
  const recipient = recipientOf(options);
  const own: MessageState | undefined = state === "deferred" ? "queued" : state;
  return given({
    sender: sender === undefined ? undefined : senderOf(sender),
    recipient,
    until: olderThan === undefined ? undefined : now - olderThan,
    after: youngerThan === undefined ? undefined : now - youngerThan,
    state: own,
  });
}

/** The recipients that are selected; undefined for all. */
export function recipientOf({ recipient, domain }: FilterOptions): AddressFilter | undefined {
  if (recipient !== undefined && domain !== undefined) {
    throw new CommandError("--domain is a --recipient without local part: give one", EXIT.usage);
  }
  if (domain !== undefined) return { domain: domainOf(domain, "--domain") };
  return recipient === undefined ? undefined : addressOf(recipient, "--recipient");
}

function senderOf(written: string): AddressFilter | null {
  return written === "" || written === "<>" ? null : addressOf(written, "--sender");
}

/** "alice@example.com", or "example.com" or "@localhost" for a domain. */
function addressOf(written: string, option: string): AddressFilter {
  if (written.startsWith("@")) return { domain: domainOf(written.slice(1), option) };
  const isAddress = written.includes("@");
  if (!isAddress && written.includes(".")) return { domain: domainOf(written, option) };
  if (!isAddress) {
    // A domain of one label is probably a mistake, and would silently match nothing.
    const hint = `write ${written}@DOMAIN, or @${written} for a domain of that name`;
    throw new CommandError(`${option}: "${written}" is no address; ${hint}`, EXIT.usage);
  }
  const mailbox = parseMailbox(written.replace(/^<(.*)>$/, "$1"));
  if (mailbox !== undefined) return { domain: mailbox.domain, localPart: mailbox.localPart };
  throw new CommandError(`${option}: "${written}" is no address`, EXIT.usage);
}

/** The domain in canonical form. Throws CommandError for an invalid domain. */
export function domainOf(written: string, option: string): string {
  const domain = parseDomain(written);
  if (domain !== undefined) return domain;
  throw new CommandError(`${option}: "${written}" is no domain`, EXIT.usage);
}
