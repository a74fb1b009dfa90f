// The account of a rehearsal. For its time the chain treats it as an account, although no list names it.
//
// Invariants:
// - It exists in memory only: no file changes, and the end of the relay ends it.
// - It counts only for mail that its own user has submitted, from itself to itself. For a stranger there is no such
//   address.
// - It stands only in lists of accounts: the lookups in the lists of local parts of copying routers.

import { parseLookup } from "../lists/lookup.ts";
import type { Client, Mailbox } from "../mail/envelope.ts";

export class Rehearsal {
  #account: Mailbox | undefined;

  /** `account` in lower case. */
  begin(account: Mailbox): void {
    this.#account = account;
  }

  end(): void {
    this.#account = undefined;
  }

  get isUnderWay(): boolean {
    return this.#account !== undefined;
  }

  /** Whether this is the address of the account. */
  isOf(mailbox: Mailbox): boolean {
    const account = this.#account;
    return (
      account !== undefined &&
      mailbox.domain === account.domain &&
      mailbox.localPart.toLowerCase() === account.localPart
    );
  }

  /** Whether the account counts for this recipient of a message. */
  takes(recipient: Mailbox, sender: Mailbox | null, { user }: Client): boolean {
    const account = this.#account;
    if (account === undefined || sender === null) return false;
    return user === account.address && this.isOf(sender) && this.isOf(recipient);
  }
}

/** The answer of a list for the account of a rehearsal. Absent: the list decides, as for any other name. */
export type RehearsedAnswer = "in" | "out" | undefined;

interface LocalPartLists {
  readonly unseen: boolean;
  readonly local_parts?: readonly string[] | undefined;
  readonly sender_local_parts?: readonly string[] | undefined;
}

/** Two texts of one lookup have the same name. */
type NameOf = (scheme: string, argument: string) => string;

/** Returns the function that answers for a list. Its `items` are those of a list of local parts. */
export function rehearsedAnswers(
  routers: readonly LocalPartLists[],
  nameOf: NameOf,
): (items: readonly string[]) => RehearsedAnswer {
  const lookupIn = (item: string): string | undefined => {
    const lookup = parseLookup(item.replace(/^!/, ""));
    return lookup && `${lookup.scheme}:${nameOf(lookup.scheme, lookup.argument)}`;
  };
  const accounts = new Set(
    routers
      .filter(({ unseen }) => unseen)
      .flatMap((lists) => [...(lists.local_parts ?? []), ...(lists.sender_local_parts ?? [])])
      .map(lookupIn),
  );
  return (items) => {
    for (const item of items) {
      const lookup = lookupIn(item);
      if (item === "*" || item === "!*") return undefined;
      if (lookup !== undefined && accounts.has(lookup)) return item.startsWith("!") ? "out" : "in";
    }
    return undefined;
  };
}
