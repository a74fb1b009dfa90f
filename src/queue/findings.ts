// What the chain says of a recipient, less what an earlier attempt has settled already.

import type { Outcome } from "../contract.ts";
import type { Delivery } from "../deliver.ts";
import type { Routing } from "../route.ts";
import { type Attempted, isResting } from "../settle/clocks.ts";
import type { Finding } from "../settle.ts";
import type { JournalEntry, StoredRecipient } from "../spool.ts";

type JournalKey = Pick<JournalEntry, "position" | "address" | "router" | "transport">;

/** What names a delivery inside its message, as in the journal. */
export function keyOf({ position, mailbox: { address }, router, transport }: Delivery): string {
  return journalKey({ position, address, router, transport });
}

/** Addresses and names hold no line break. */
export function journalKey({ position, address, router, transport }: JournalKey): string {
  return `${position}\n${address}\n${router}\n${transport}`;
}

/** What is due of it; when the address itself has had its end, only copies. */
export function whatIsDue(recipient: Attempted, hasEnded: boolean, routing: Routing): Routing {
  if (!hasEnded && recipient.rest === undefined) return routing;
  const { deliveries, troubles, discarded } = routing;
  const isDue = (one: (typeof deliveries | typeof troubles)[number]) =>
    (one.unseen || !hasEnded) && !isResting(recipient, one);
  return {
    deliveries: deliveries.filter(isDue),
    troubles: troubles.filter(isDue),
    discarded: hasEnded || recipient.rest?.mail !== undefined ? [] : discarded,
  };
}

/** What the chain itself decided about a recipient, less what an earlier attempt has settled already. */
export function verdicts(
  recipient: StoredRecipient,
  routing: Routing,
  done: ReadonlySet<string>,
): Finding[] {
  const { position, mailbox: original } = recipient;
  return routing.troubles.flatMap(({ kind, mailbox, router, unseen, status }): Finding[] => {
    const transport = "";
    if (done.has(journalKey({ position, address: mailbox.address, router, transport }))) return [];
    // What defers in the chain is a lookup of some kind; only the guard against loops stands above the routers.
    const why = router === "" ? {} : ({ error: "lookup" } as const);
    const outcome: Outcome =
      kind === "failed" ? { kind, status } : { kind, status, scope: "recipient", ...why };
    return [{ position, mailbox, original, router, transport, unseen, outcome }];
  });
}
