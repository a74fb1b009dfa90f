// The chain's answers for the addresses of one message. An address that many recipients lead to is routed once.

import type { Mailbox } from "../mail/envelope.ts";
import type { Routing } from "./routing.ts";
import { canonicalAddressOf } from "../mail/address.ts";

/** An address that another was redirected to. */
export interface Child {
  readonly mailbox: Mailbox;
  /** The router that has redirected it. */
  readonly router: string;
  /** True: only a copy goes to the address. */
  readonly unseen: boolean;
  /** The key of its step, if the loop guard leaves no router out. */
  readonly key: string;
}

/** The chain's answer for one address, for every recipient that leads to it. */
export interface Step extends Routing {
  readonly children: readonly Child[];
}

export class Steps {
  readonly #steps = new Map<string, Step | Promise<Step>>();
  /** By the list of addresses: a router that keeps parsed entries returns the same list object each time. */
  readonly #children = new Map<readonly Mailbox[], readonly Child[]>();

  /** The number of addresses with an answer. */
  get size(): number {
    return this.#steps.size;
  }

  get(key: string): Step | Promise<Step> | undefined {
    return this.#steps.get(key);
  }

  /** `step` must not reject. */
  set(key: string, step: Promise<Step>): void {
    this.#steps.set(key, step);
    // The steps may have been cleared meanwhile.
    void step.then((known) => this.#steps.get(key) === step && this.#steps.set(key, known));
  }

  childrenOf(to: readonly Mailbox[], router: string, unseen: boolean): readonly Child[] {
    const known = this.#children.get(to);
    if (known?.[0]?.router === router && known[0].unseen === unseen) return known;
    const children = to.map((mailbox) => ({
      mailbox,
      router,
      unseen,
      key: stepKeyOf(mailbox, unseen),
    }));
    this.#children.set(to, children);
    return children;
  }

  clear(): void {
    this.#steps.clear();
    this.#children.clear();
  }
}

/** The key of the step for an address, if the loop guard leaves no router out. */
export function stepKeyOf(mailbox: Mailbox, unseen: boolean): string {
  return `${unseen ? "copy" : "mail"}\n${canonicalAddressOf(mailbox)}`;
}
