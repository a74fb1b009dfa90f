// The answer of the chain for an address.

import type { Account } from "../mail/account.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { Host } from "../mail/host.ts";
import type { Status } from "../mail/status.ts";

export interface RoutedDelivery {
  readonly router: string;
  readonly transport: string;
  readonly unseen: boolean;
  /** A copy for a sender that is not in the router's list of senders. */
  readonly unlisted?: true;
  /** An alias of the same address led here, so the address may lead to others too. */
  readonly homonym?: true;
  readonly mailbox: Mailbox;
  /** The address at RCPT that led here; with `steps` of several recipients, the first of them. */
  readonly original: Mailbox;
  readonly account: Account;
  readonly hosts?: readonly Host[];
}

export interface RouteTrouble {
  readonly kind: "failed" | "deferred";
  readonly mailbox: Mailbox;
  /** The router that decided; "" if the chain ended. */
  readonly router: string;
  /** Only a copy failed or was deferred; the address itself went on. */
  readonly unseen: boolean;
  readonly status: Status;
  /** "world: example.net has a null MX", for the log; absent if no router gave a reason. */
  readonly why?: string;
  /** No router took the address or gave a reason: a router or a list entry may be missing for a moment. */
  readonly unrouted?: true;
  /** As in {@link RoutedDelivery}. */
  readonly homonym?: true;
}

export interface Routing {
  readonly deliveries: RoutedDelivery[];
  readonly troubles: RouteTrouble[];
  readonly discarded: {
    readonly mailbox: Mailbox;
    readonly router: string;
    readonly why: string;
  }[];
}
