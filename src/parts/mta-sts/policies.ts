// The policies in memory. If they are too many or too large, the least recently used policy is dropped.

import type { KeptPolicy } from "../../tls/sts-policies.ts";

const POLICIES_MAX = 10_000;
const OCTETS_MAX = 16 * 1024 * 1024;
/** The memory of a policy, and of each of its patterns, without their texts; in octets. */
const POLICY_OVERHEAD = 400;
const PATTERN_OVERHEAD = 50;

export interface Held {
  readonly policy: KeptPolicy;
  /** By the monotonic clock: setting the system clock does not end a policy. */
  readonly fetchedAt: number;
}

export class HeldPolicies {
  /** By domain, in the order of their last use. */
  readonly #held = new Map<string, Held>();
  #octets = 0;

  get size(): number {
    return this.#held.size;
  }

  get all(): readonly Held[] {
    return [...this.#held.values()];
  }

  get(domain: string): Held | undefined {
    return this.#held.get(domain);
  }

  /** Marks the policy as used now. */
  use(domain: string): void {
    const held = this.#held.get(domain);
    if (held === undefined) return;
    this.#held.delete(domain);
    this.#held.set(domain, held);
  }

  /** Stores the policy, and returns the domains whose policies were dropped for it. */
  set(held: Held): readonly string[] {
    const { domain } = held.policy;
    this.delete(domain);
    this.#held.set(domain, held);
    this.#octets += weightOf(held);
    const gone: string[] = [];
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= POLICIES_MAX && this.#octets <= OCTETS_MAX) break;
      this.delete(oldest);
      gone.push(oldest);
    }
    return gone;
  }

  delete(domain: string): void {
    const held = this.#held.get(domain);
    if (held === undefined) return;
    this.#octets -= weightOf(held);
    this.#held.delete(domain);
  }
}

function weightOf({ policy: { domain, mx } }: Held): number {
  return mx.reduce(
    (sum, pattern) => sum + pattern.length + PATTERN_OVERHEAD,
    POLICY_OVERHEAD + domain.length,
  );
}
