// The router chain for one recipient: preconditions, `unseen`, `more`, loop guard. Knows no driver.
// Invariants:
// - A lookup without an answer defers, and never counts as "no".
// - A driver that throws, or returns an invalid decision, defers.
// - An address that no router takes ends in 550 5.1.1, and is never dropped in silence.
// - A copy (`unseen`) decides nothing about the address itself: its failures, deferrals and redirects touch only the copy.
// - If the mail of an address is over, the chain decides only about its copies: the address leads to no other address.
//
// Doors: chain-options.ts, rehearsal.ts, routings.ts.

import type { DomainList } from "../lists/lists.ts";
import type { Log } from "../observe/log.ts";
import type { ChainRouter, Route } from "./request.ts";
import type { Rehearsal } from "./rehearsal.ts";
import type { Routing } from "./routing.ts";
import { type Child, stepKeyOf, Steps } from "./steps.ts";
import { type Address, isSameMailbox, trouble, Walk } from "./walk.ts";
import { LoopShare } from "../base/loop-share.ts";
import { status } from "../mail/status.ts";

export type { ChainRouter, Route, RouteRequest, TraceStep } from "./request.ts";
export type { RoutedDelivery, RouteTrouble, Routing } from "./routing.ts";
export { Steps } from "./steps.ts";
export { preconditionsOf } from "./preconditions.ts";

/** Exim's limit: an address with more ancestors loops in a way that the loop guard cannot see. */
const ANCESTORS_MAX = 100;
/** Addresses that one recipient may lead to, and aliases on the way there (Postfix: virtual_alias_expansion_limit). */
const ADDRESSES_MAX = 1000;

const LOOP = status(451, "4.6", "Routing loop");

/** Work between two checks of the turn's share, and its cost there; an address that is known already costs 1. */
const SLICE = 1000;
const SLICE_COST = 24 * 1024;
const WALK = 25;

/** `localDomains` says which domains are ours: only there the relay knows whether a user exists. */
export function createRoute(
  chain: readonly ChainRouter[],
  log: Log,
  addressesMax = ADDRESSES_MAX,
  localDomains?: DomainList,
  rehearsal?: Pick<Rehearsal, "takes">,
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
    // Addresses that are added in the loop come at the end.
    for (const [key, address] of addresses) {
      if (ways >= addressesMax || ends > addressesMax) return tooWide(root, addressesMax);
      if (address.depth > ANCESTORS_MAX) {
        routing.troubles.push(trouble("deferred", address, "", LOOP));
        continue;
      }
      const known = steps.get(key);
      const walk =
        known ??
        new Walk({ chain, steps, log, localDomains, rehearsal }, address, recipient, request).run();
      // Other recipients rarely lead to this recipient's own address.
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
        // This number is enough to see that the limit is exceeded.
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

/** Too many addresses: a mistake in a list delays its mail, and no address gets it before the list is corrected. */
function tooWide(address: Address, most: number): Routing {
  const reply = status(451, "3.5", `This address leads to more than ${most} others`);
  return { deliveries: [], troubles: [trouble("deferred", address, "", reply)], discarded: [] };
}

/** The key of a step: the address, whether it is a copy, and the routers that the loop guard leaves out. */
function keyOf({ mailbox, router, key }: Child, parent: Address): string {
  let guarded: string[] | undefined;
  let by = router;
  for (let one: Address | undefined = parent; one !== undefined; one = one.parent) {
    if (isSameMailbox(one.mailbox, mailbox)) (guarded ??= []).push(by);
    by = one.router;
  }
  return guarded === undefined ? key : `${key}\n${guarded.toSorted().join("\n")}`;
}
