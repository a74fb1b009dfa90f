// What the chain says of an address.

import type { Account } from "../mail/account.ts";
import type { Mailbox } from "../mail/envelope.ts";
import type { Host } from "../mail/host.ts";
import type { Status } from "../mail/status.ts";

export interface RoutedDelivery {
  readonly router: string;
  readonly transport: string;
  readonly unseen: boolean;
  /** A copy for a sender whom the router's list of senders does not name. */
  readonly unlisted?: true;
  /** An alias of the same address has led here: the address may lead to others too. */
  readonly homonym?: true;
  readonly mailbox: Mailbox;
  /** The RCPT that it descends from; with `steps` of several recipients, the first. */
  readonly original: Mailbox;
  readonly account: Account;
  readonly hosts?: readonly Host[];
}

export interface RouteTrouble {
  readonly kind: "failed" | "deferred";
  readonly mailbox: Mailbox;
  /** "" when the chain ended. */
  readonly router: string;
  /** The copy only; the address itself went on. */
  readonly unseen: boolean;
  readonly status: Status;
  /** "world: example.net has a null MX", for the log; absent when no router has said why. */
  readonly why?: string;
  /** No router has taken the address, and none has said why: one that would may be missing for a moment. */
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
