// The router chain for one recipient: preconditions, `unseen`, `more`, loop guard. Knows no driver.
//
// Invariants: a lookup that cannot be answered defers, it never counts as "no". A driver that throws, or says what
// is no decision, defers. An address that no router takes ends in 550 5.1.1, never in silence. A copy (`unseen`)
// decides nothing about the address itself: what fails or defers it, and all that it is redirected to, touches
// only the copy. Of an address whose mail has had its end, only copies are asked for: it leads to nobody else any more.

import type { Decision, Router } from "../contract/contract.ts";
import type { Client, Mailbox } from "../mail/envelope.ts";
import type { DomainList } from "../lists/lists.ts";
import type { Log } from "../observe/log.ts";
import type { Precondition } from "./preconditions.ts";
import { type Child, stepKeyOf, Steps } from "./steps.ts";
import { type Address, isSame, trouble, Walk } from "./walk.ts";
import { LoopShare } from "../base/loop-share.ts";
import { status, type Status } from "../mail/status.ts";
import type { Account } from "../mail/account.ts";
import type { Host } from "../mail/host.ts";
import type { MaybePromise } from "../base/maybe-promise.ts";

export { Steps } from "./steps.ts";
export { preconditionsOf } from "./preconditions.ts";

/** One router as the configuration makes it. */
export interface ChainRouter {
  readonly name: string;
  readonly router: Router;
  readonly unseen: boolean;
  readonly more: boolean;
  readonly cutthrough?: boolean;
  /** Only mail that was relayed, or only that of others; both when absent. */
  readonly relayed?: boolean | undefined;
  readonly preconditions: readonly Precondition[];
}

export interface RouteRequest {
  readonly sender: Mailbox | null;
  readonly client: Client;
  readonly verify: boolean;
  /** It came by a relay rule, its proof included. Absent where nobody knows: then it is not relayed. */
  readonly relayed?: boolean;
  /** How that is known, for the trace. */
  readonly relayedWhy?: string;
  /** True of an address whose mail has had its end: the chain is asked for its copies alone. Absent: of none. */
  readonly served?: (mailbox: Mailbox) => MaybePromise<boolean>;
  /** What was found out for earlier recipients of the message, and is not asked again. Not together with `trace`. */
  readonly steps?: Steps;
  /** Filled with a line for each router that was asked, when somebody wants to read it. */
  readonly trace?: TraceStep[];
}

export interface TraceStep {
  readonly address: string;
  readonly router: string;
  readonly result: "skipped" | Decision["kind"];
  readonly why: string;
}

export interface RoutedDelivery {
  readonly router: string;
  readonly transport: string;
  readonly unseen: boolean;
  /** A copy for a sender whom the router's list of senders does not name. */
  readonly unlisted?: true;
  /** The next host is asked before the client has its reply. */
  readonly cutthrough?: true;
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

/** Never rejects. */
export type Route = (recipient: Mailbox, request: RouteRequest) => Promise<Routing>;

/** Exim's bound: an address with more ancestors than this loops in a way that the guard does not see. */
const ANCESTORS_MAX = 100;
/** Addresses that one recipient may lead to, and aliases on the way there (Postfix: virtual_alias_expansion_limit). */
const ADDRESSES_MAX = 1000;

const LOOP = status(451, "4.6", "Routing loop");

/** Work between two looks at the share of the turn, and what it counts there: an address that is known already is 1. */
const SLICE = 1000;
const SLICE_COST = 24 * 1024;
const WALK = 25;

/** `localDomains` tells what is ours from what is of others, whose users are not ours to know. */
export function createRoute(
  chain: readonly ChainRouter[],
  log: Log,
  addressesMax = ADDRESSES_MAX,
  localDomains?: DomainList,
): Route {
  const share = new LoopShare();
  return async (recipient, request) => {
    const steps = request.steps ?? new Steps();
    const routing: Routing = { deliveries: [], troubles: [], discarded: [] };
    const root = { mailbox: recipient, unseen: false, parent: undefined, router: "", depth: 0 };
    const addresses = new Map<string, Address>([[stepKeyOf(recipient, false), root]]);
    let work = 0;
    let ways = 0;
    let ends = 0;
    // What is added meanwhile comes at the end.
    for (const [key, address] of addresses) {
      if (ways >= addressesMax || ends > addressesMax) return tooWide(root, addressesMax);
      if (address.depth > ANCESTORS_MAX) {
        routing.troubles.push(trouble("deferred", address, "", LOOP));
        continue;
      }
      const known = steps.get(key);
      const walk =
        known ?? new Walk({ chain, steps, log, localDomains }, address, recipient, request).run();
      // A recipient itself is seldom asked about again.
      if (known === undefined && address.depth > 0) steps.set(key, Promise.resolve(walk));
      work += known === undefined ? WALK : 1;
      const turn = work >= SLICE ? share.turn(SLICE_COST) : undefined;
      if (work >= SLICE) work = 0;
      if (turn !== undefined) await turn;
      const step = walk instanceof Promise ? await walk : walk;
      routing.deliveries.push(...step.deliveries);
      routing.troubles.push(...step.troubles);
      routing.discarded.push(...step.discarded);
      if (step.children.length > 0) ways++;
      else ends++;
      for (const child of step.children) {
        // More are not needed to see that they are too many.
        if (addresses.size > 2 * addressesMax + 1) break;
        const childKey = keyOf(child, address);
        if (addresses.has(childKey)) continue;
        const { mailbox, unseen, router } = child;
        const depth = address.depth + 1;
        addresses.set(childKey, { mailbox, unseen, router, parent: address, depth });
      }
    }
    return ends > addressesMax ? tooWide(root, addressesMax) : routing;
  };
}

/** A mistake in a list of addresses delays mail: none of them has it before the list is mended. */
function tooWide(address: Address, most: number): Routing {
  const reply = status(451, "3.5", `This address leads to more than ${most} others`);
  return { deliveries: [], troubles: [trouble("deferred", address, "", reply)], discarded: [] };
}

/** What tells one step from another: the address, whether it is a copy, and the routers that the loop guard leaves out. */
function keyOf({ mailbox, router, key }: Child, parent: Address): string {
  let guarded: string[] | undefined;
  let by = router;
  for (let one: Address | undefined = parent; one !== undefined; one = one.parent) {
    if (isSame(one.mailbox, mailbox)) (guarded ??= []).push(by);
    by = one.router;
  }
  return guarded === undefined ? key : `${key}\n${guarded.toSorted().join("\n")}`;
}
