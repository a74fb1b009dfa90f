// What the chain has said of the recipients of one message at RCPT, on its way to the first attempt: it is not asked again
// milliseconds later.
//
// Invariants: only what is plain is kept. A recipient that the chain could not place, or not yet, is routed again by the
// attempt; so is each that was asked about by another configuration, or as another kind of mail, or too long ago.

import type { Clock } from "../base/clock.ts";
import type { Host } from "../mail/host.ts";
import type { Route } from "./request.ts";
import type { RoutedDelivery, Routing } from "./routing.ts";

/** What the chain has said longer ago than this is not believed any more, in ms. A message may take as long to come in. */
const AGE_MAX = 300_000;
/** Octets of a delivery, of a host, and of an address, about as Node has them. */
const DELIVERY_COST = 400;
const HOST_COST = 300;
const ADDRESS_COST = 64;

interface Kept {
  readonly routing: Routing;
  readonly relayed: boolean;
  /** By the monotonic clock. */
  readonly at: number;
}

export class Routings {
  readonly #route: Route;
  readonly #clock: Clock;
  readonly #kept = new Map<number, Kept>();
  readonly #hosts = new Map<string, readonly Host[]>();
  readonly #joined = new WeakMap<RoutedDelivery, RoutedDelivery>();

  /** `route` is the chain that says what is kept. */
  constructor(route: Route, clock: Clock) {
    this.#route = route;
    this.#clock = clock;
  }

  /**
   * Keeps what the chain has said of the recipient at `position`, asked about as mail that is relayed or not, if it is
   * plain and `hasRoom` for the octets that it takes.
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

  /** Undefined when the chain is to be asked. `route` and `relayed` are those of the attempt. */
  of(position: number, route: Route, relayed: boolean): Routing | undefined {
    const kept = this.#kept.get(position);
    if (kept === undefined || route !== this.#route || relayed !== kept.relayed) return undefined;
    return this.#clock.monotonic() - kept.at > AGE_MAX ? undefined : kept.routing;
  }

  /** Of the first `count` recipients, in their order; undefined when one is not kept. */
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
   * DNS and routers give equal hosts in another order from second to second: recipients of one domain that were asked
   * about one after the other still go together.
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

/** In whatever order. */
function areSame(some: readonly Host[], others: readonly Host[]): boolean {
  const names = new Set(some.map(nameOf));
  return some.length === others.length && others.every((host) => names.has(nameOf(host)));
}

function nameOf({ name, port, domain, secure }: Host): string {
  return `${name}:${port} ${domain} ${secure}`;
}
