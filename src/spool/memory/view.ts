// The queue of a spool in memory, as relayctl would read it.

import type { MessageId } from "../../mail/envelope.ts";
import type { QueueCount, QueueHold, QueueView, QueueWithheld } from "../queue-view.ts";
import type { Filter, MessageState, StoredMessage, Withheld } from "../spool.ts";
import { isWanted } from "./filter.ts";
import { isPending, type Tables } from "./tables.ts";
import { withheldIn } from "./withheld.ts";

/** Messages in one page. */
const PAGE = 500;

export function memoryView(tables: Tables): QueueView {
  const wanted = (filter: Filter) => messagesIn(tables).filter((one) => isWanted(one, filter));
  return {
    async *messages(filter) {
      yield* pagesOf(wanted(filter));
    },
    async *ids(filter) {
      yield* pagesOf(wanted(filter).map(({ envelope }): MessageId => envelope.id));
    },
    count: async (filter) => countOf(wanted(filter)),
    holds: async () => holdsIn(tables),
    withheld: async () => addressesOf(withheldIn(tables)),
    message: async (id) => tables.rows.get(id)?.message,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function messagesIn(tables: Tables): StoredMessage[] {
  return tables.inOrder().map(({ message }) => message);
}

function* pagesOf<T>(all: readonly T[]): Iterable<readonly T[]> {
  for (let from = 0; from < all.length; from += PAGE) yield all.slice(from, from + PAGE);
}

function countOf(messages: readonly StoredMessage[]): QueueCount {
  const of = (state: MessageState) => {
    const those = messages.filter((one) => one.state === state);
    const bytes = those.reduce((sum, one) => sum + bytesReceived(one), 0);
    return { messages: those.length, bytes };
  };
  return { active: of("active"), queued: of("queued"), frozen: of("frozen") };
}

function bytesReceived({ envelope: { size, head = "" } }: StoredMessage): number {
  return size - Buffer.byteLength(head, "latin1");
}

function holdsIn(tables: Tables): QueueHold[] {
  const messages = messagesIn(tables);
  const holds = Array.from(tables.holds, ([domain, since]) => ({
    domain,
    since,
    messages: messages.filter((message) => waitsForRelease(message, domain)).length,
  }));
  return holds.toSorted((a, b) => (a.domain < b.domain ? -1 : 1));
}

function addressesOf(all: readonly Withheld[]): QueueWithheld[] {
  const groups = Map.groupBy(all, ({ address }) => address.toLowerCase());
  return Array.from(groups, ([recipient, { length: messages }]) => ({
    recipient,
    messages,
  })).toSorted((a, b) => (a.recipient < b.recipient ? -1 : 1));
}

function waitsForRelease({ recipients }: StoredMessage, domain: string): boolean {
  return recipients.some(
    (one) => isPending(one) && (one.heldDomain === domain || one.mailbox.domain === domain),
  );
}
