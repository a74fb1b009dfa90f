// What the chain has said of the addresses of one message. An address that many recipients lead to is asked about once.

import type { Mailbox } from "../mail/envelope.ts";
import type { Routing } from "./routing.ts";
import { canonicalAddressOf } from "../mail/address.ts";

/** An address that another was redirected to. */
export interface Child {
  readonly mailbox: Mailbox;
  /** The router that has redirected it. */
  readonly router: string;
  /** A copy. */
  readonly unseen: boolean;
  /** That of its step, if the loop guard leaves no router out. */
  readonly key: string;
}

/** What the chain says of one address, whichever recipient led to it. */
export interface Step extends Routing {
  readonly children: readonly Child[];
}

export class Steps {
  readonly #steps = new Map<string, Step | Promise<Step>>();
  /** Routers that keep what they have read give the same list each time. */
  readonly #children = new Map<readonly Mailbox[], readonly Child[]>();

  /** Addresses of which it is known. */
  get size(): number {
    return this.#steps.size;
  }

  get(key: string): Step | Promise<Step> | undefined {
    return this.#steps.get(key);
  }

  /** `step` must not reject. */
  set(key: string, step: Promise<Step>): void {
    this.#steps.set(key, step);
    // Unless it has been cleared meanwhile.
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

/** Of an address to which every router may be applied. */
export function stepKeyOf(mailbox: Mailbox, unseen: boolean): string {
  return `${unseen ? "copy" : "mail"}\n${canonicalAddressOf(mailbox)}`;
}
