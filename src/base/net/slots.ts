// The limits of simultaneous connections: for each client, for its network, and in all.
//
// Invariant: hosts that the server knows do not compete with the rest of the world. They have slots of their own and no
// limit for their network, because a big provider sends from a whole network.

import { networkOf } from "../network.ts";

export interface SlotOptions {
  /** For the world, and as many again for the hosts for which slots are reserved. */
  readonly connectionsMax: number;
  readonly connectionsPerClientMax: number;
  /** For a /24 of IPv4 or a /64 of IPv6. If it is less than the limit of one client, that limit applies. */
  readonly connectionsPerNetworkMax: number;
  isReserved(address: string): boolean;
}

export type Slot =
  | { readonly kind: "taken"; readonly isReserved: boolean; release(): void }
  | { readonly kind: "refused"; readonly why: string };

export class Slots {
  #options: SlotOptions;
  readonly #perClient = new Counter();
  readonly #perNetwork = new Counter();
  readonly #open = { world: 0, reserved: 0 };

  constructor(options: SlotOptions) {
    this.#options = options;
  }

  /** Applies to new connections only. Those that are open stay. */
  follow(options: SlotOptions): void {
    this.#options = options;
  }

  isReserved(address: string): boolean {
    return this.#options.isReserved(address);
  }

  /** `release` must be called exactly once. */
  take(address: string): Slot {
    const { connectionsMax, connectionsPerClientMax: perClient } = this.#options;
    const perNetwork = Math.max(perClient, this.#options.connectionsPerNetworkMax);
    const slots = this.#options.isReserved(address) ? "reserved" : "world";
    const network = slots === "world" ? networkOf(address) : undefined;
    if (this.#open[slots] >= connectionsMax) return refused("limit in all");
    if (this.#perClient.of(address) >= perClient) return refused("limit per client");
    if (network !== undefined && this.#perNetwork.of(network) >= perNetwork) {
      return refused("limit per network");
    }
    this.#open[slots]++;
    this.#perClient.add(address, 1);
    if (network !== undefined) this.#perNetwork.add(network, 1);
    return {
      kind: "taken",
      isReserved: slots === "reserved",
      release: () => {
        this.#open[slots]--;
        this.#perClient.add(address, -1);
        if (network !== undefined) this.#perNetwork.add(network, -1);
      },
    };
  }
}

function refused(why: string): Slot {
  return { kind: "refused", why };
}

class Counter {
  readonly #counts = new Map<string, number>();

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string, change: 1 | -1): void {
    const count = this.of(key) + change;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }
}
