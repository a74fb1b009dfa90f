// The chain's answers for the recipients of one message at RCPT, on their way to the first attempt, so that the chain
// does not run again milliseconds later.
// Invariants: only plain answers are kept, that is, answers without a failure or a deferral. The attempt routes a recipient
// again if the answer is not plain, is too old, or was given by another configuration or for another kind of mail.

import type { Clock } from "../base/clock.ts";
import type { Host } from "../mail/host.ts";
import type { Route } from "./request.ts";
import type { RoutedDelivery, Routing } from "./routing.ts";

/** The age in ms from which an answer is not used. A message that comes in more slowly than this is routed again. */
const AGE_MAX = 300_000;
/** The approximate memory of a delivery, of a host, and of an address, in octets. */
const DELIVERY_COST = 400;
const HOST_COST = 300;
const ADDRESS_COST = 64;

interface Kept {
  readonly routing: Routing;
  readonly relayed: boolean;
  /** The time of the answer, by the monotonic clock. */
  readonly at: number;
}

export class Routings {
  readonly #route: Route;
  readonly #clock: Clock;
  readonly #kept = new Map<number, Kept>();
  readonly #hosts = new Map<string, readonly Host[]>();
  readonly #joined = new WeakMap<RoutedDelivery, RoutedDelivery>();

  /** `route` is the chain whose answers are kept. */
  constructor(route: Route, clock: Clock) {
    this.#route = route;
    this.#clock = clock;
  }

  /**
   * Keeps the chain's answer for the recipient at `position`, if it is plain and `hasRoom` for its octets. `relayed` says
   * whether the request was for relayed mail.
   */
  keep(
    position: number,
    { routing, relayed }: Omit<Kept, "at">,
    hasRoom: (octets: number) => boolean,
  ): void {
    if (routing.troubles.length > 0 || !hasRoom(this.#costOf(routing))) return;
    const deliveries = routing.deliveries.map((delivery) => this.#joinedHosts(delivery));
    const at = this.#clock.monotonic();
    this.#kept.set(position, { routing: { ...routing, deliveries }, relayed, at });
  }

  /** The answer; undefined if the chain must be asked. `route` and `relayed` are those of the attempt. */
  of(position: number, route: Route, relayed: boolean): Routing | undefined {
    const kept = this.#kept.get(position);
    if (kept === undefined || route !== this.#route || relayed !== kept.relayed) return undefined;
    return this.#clock.monotonic() - kept.at > AGE_MAX ? undefined : kept.routing;
  }

  /** The answers for the first `count` recipients, in their order; undefined if one of them is not kept. */
  all(count: number): readonly Routing[] | undefined {
    const all = Array.from({ length: count }, (_, position) => this.#kept.get(position)?.routing);
    return all.every((one) => one !== undefined) ? all : undefined;
  }

  #costOf({ deliveries }: Routing): number {
    let octets = 0;
    for (const { hosts = [] } of deliveries) {
      octets += DELIVERY_COST;
      for (const { addresses = [] } of hosts) octets += HOST_COST + ADDRESS_COST * addresses.length;
    }
    return octets;
  }

  /**
   * The order of equal hosts from DNS and routers changes from second to second. With the first order for all, recipients
   * of one domain that were routed one after the other still go together.
   */
  #joinedHosts(delivery: RoutedDelivery): RoutedDelivery {
    const { hosts, router, transport, mailbox } = delivery;
    if (hosts === undefined) return delivery;
    const key = `${router}\n${transport}\n${mailbox.domain}`;
    const first = this.#hosts.get(key);
    if (first === undefined) this.#hosts.set(key, hosts);
    if (first === undefined || first === hosts || !areSame(first, hosts)) return delivery;
    const known = this.#joined.get(delivery) ?? { ...delivery, hosts: first };
    this.#joined.set(delivery, known);
    return known;
  }
}

/** Whether the hosts and their addresses are the same, in any order. */
function areSame(some: readonly Host[], others: readonly Host[]): boolean {
  const names = new Set(some.map(nameOf));
  return some.length === others.length && others.every((host) => names.has(nameOf(host)));
}

function nameOf({ name, port, domain, secure, addresses = [] }: Host): string {
  return `${name}:${port} ${domain} ${secure} ${addresses.toSorted().join(" ")}`;
}
