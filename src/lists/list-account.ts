// The account that an entry of a list of local parts leads to.
//
// Invariant: a value with a domain is only used as an address if it is exactly one valid mailbox.

import { parseMailbox } from "../mail/address.ts";
import { canonicalName } from "./lsearch-text.ts";

/** The name of an account, in lower case. */
export interface ListAccount {
  readonly localPart: string;
  /** The domain in the value, "bob@example.com"; absent: the account is in the domain that was looked up. */
  readonly domain?: string;
}

/** `key` is the entry's, in lower case, and `value` its text, "" without one. */
export function listAccountOf(key: string, value: string): ListAccount {
  const name = canonicalName(key, value);
  if (value === "" || !name.includes("@")) return { localPart: name };
  const mailbox = parseMailbox(name);
  if (mailbox === undefined) return { localPart: name };
  return { localPart: mailbox.localPart, domain: mailbox.domain };
}
