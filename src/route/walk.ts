// One address on its way down the chain: preconditions, the loop guard, `unseen`, `more`, and the answer if no
// router takes it.

import { type Draft, given } from "../base/given.ts";
import type { Decision } from "../contract/contract.ts";
import type { Mailbox } from "../mail/envelope.ts";
import { checkedDecision } from "./checked-decision.ts";
import type { DomainList } from "../lists/lists.ts";
import { describeError, type Log } from "../observe/log.ts";
import type { ChainRouter, RouteRequest, TraceStep } from "./request.ts";
import type { RoutedDelivery, RouteTrouble, Routing } from "./routing.ts";
import { LOCAL_ERROR, status, type Status } from "../mail/status.ts";
import { type Found, joinedReasons, meets } from "./preconditions.ts";
import type { Rehearsal } from "./rehearsal.ts";
import type { Child, Step, Steps } from "./steps.ts";
import type { Account } from "../mail/account.ts";

/** Members of a group that are looked up in one turn of the event loop. */
const MEMBERS_SLICE = 500;

const NO_SUCH_USER = status(550, "1.1", "No such user here");

/** An address on its way from a recipient. */
export interface Address {
  readonly mailbox: Mailbox;
  /** True: a copy was redirected here, and only copies are made. */
  readonly unseen: boolean;
  readonly parent: Address | undefined;
  /** The router that redirected its parent to it; "" for the recipient. */
  readonly router: string;
  readonly depth: number;
}

/** The comparison of the loop guard. To be safe, it ignores the case of a local part. */
export function isSameMailbox(one: Mailbox, other: Mailbox): boolean {
  return (
    one.domain === other.domain &&
    one.localPart.length === other.localPart.length &&
    one.localPart.toLowerCase() === other.localPart.toLowerCase()
  );
}
interface WalkMeans {
  readonly rehearsal: Pick<Rehearsal, "takes"> | undefined;
  readonly chain: readonly ChainRouter[];
  readonly steps: Steps;
  readonly log: Log;
  readonly localDomains: DomainList | undefined;
}

/** Why an address has come to its end. */
type Reason = Pick<RouteTrouble, "status" | "why" | "unrouted">;

/** One address on its way down the chain. */
export class Walk {
  readonly #means: WalkMeans;
  readonly #address: Address;
  readonly #original: Mailbox;
  readonly #request: RouteRequest;
  /** The reason of the first router that knew why it could not take the address. */
  #reason: Reason | undefined;
  /** The reply if no router takes the address and a router that declined was unsure. */
  #otherwise: Status | undefined;
  /** Its mail is over: only its copies are still routed. */
  #isServed = false;
  readonly #step = {
    deliveries: [] as RoutedDelivery[],
    troubles: [] as RouteTrouble[],
    discarded: [] as Routing["discarded"],
    children: [] as readonly Child[],
  };

  constructor(means: WalkMeans, address: Address, original: Mailbox, request: RouteRequest) {
    this.#means = means;
    this.#address = address;
    this.#original = original;
    this.#request = request;
  }

  /** Rejects only if `served` does. */
  async run(): Promise<Step> {
    const { mailbox, unseen } = this.#address;
    const { served } = this.#request;
    this.#isServed = !unseen && served !== undefined && (await served(mailbox));
    const step = await this.#walk();
    return !unseen && this.#isHomonym() ? withHomonyms(step) : step;
  }

  /** Whether the address is also one of the addresses that led to it. */
  #isHomonym(): boolean {
    for (let one = this.#address.parent; one !== undefined; one = one.parent)
      if (isSameMailbox(one.mailbox, this.#address.mailbox)) return true;
    return false;
  }

  async #walk(): Promise<Step> {
    for (const router of this.#means.chain) {
      if (this.#handledBefore(router)) {
        this.#note(router, "skipped", "it handled this address before");
        continue;
      }
      const found = await this.#meets(router);
      if (found.kind === "out") {
        this.#note(router, "skipped", found.why);
        continue;
      }
      const account = found.kind === "in" ? found.account : {};
      const decision: Decision =
        found.kind === "in"
          ? await this.#ask(router, account)
          : { kind: "defer", status: LOCAL_ERROR, why: found.why };
      const why = found.kind === "in" && "why" in decision ? decision.why : "";
      this.#note(router, decision.kind, joinedReasons(found.why, why));
      const isSettled = this.#take(router, decision, account);
      if (decision.kind === "accept" && (decision.members ?? decision.membersLater) !== undefined)
        await this.#copyToMembers(router, decision);
      if (isSettled === "unrouted") return this.#end(router.name);
      if (isSettled) return this.#step;
    }
    return this.#end("");
  }

  /** The answer if no router takes the address. */
  async #end(router: string): Promise<Step> {
    if (this.#isServed) return this.#step;
    if (this.#otherwise !== undefined) {
      this.#fail(this.#address, router, this.#otherwise);
      return this.#step;
    }
    const reason = this.#reason ?? (await this.#unrouted());
    this.#step.troubles.push({
      ...trouble("failed", this.#address, router, reason.status),
      ...reason,
    });
    return this.#step;
  }

  async #unrouted(): Promise<Reason> {
    const { domain } = this.#address.mailbox;
    if (await this.#mayBeOurs(domain)) return { status: NO_SUCH_USER, unrouted: true };
    const reply = status(550, "4.4", `There is no route to ${domain} from here`);
    return { status: reply, why: `no router takes ${domain}`, unrouted: true };
  }

  async #mayBeOurs(domain: string): Promise<boolean> {
    const { localDomains, log } = this.#means;
    try {
      return (await localDomains?.match(domain))?.kind !== "out";
    } catch (error) {
      log.event("relay.error", { where: "local_domains", error: describeError(error) });
      return true;
    }
  }

  async #meets(router: ChainRouter): Promise<Found> {
    const { name, relayed: wanted, preconditions } = router;
    const {
      sender,
      client,
      relayed = false,
      relayedWhy = relayed ? "it was" : "it was not",
      restored = false,
    } = this.#request;
    if (router.restored !== undefined && router.restored !== restored) {
      const how = restored ? "it comes" : "it does not come";
      return { kind: "out", why: `restored = ${router.restored}: ${how} back from the archive` };
    }
    try {
      const { mailbox } = this.#address;
      const isRehearsed = this.#means.rehearsal?.takes(mailbox, sender, client) === true;
      const found = await meets(preconditions, mailbox, sender, isRehearsed);
      if (wanted === undefined || found.kind === "out") return found;
      const why = joinedReasons(found.why, `relayed = ${wanted}: ${relayedWhy}`);
      return wanted === relayed ? { ...found, why } : { kind: "out", why };
    } catch (error) {
      const where = `preconditions of router ${name}`;
      this.#means.log.event("relay.error", { where, error: describeError(error) });
      return { kind: "defer", why: "a list failed, see the log" };
    }
  }

  async #ask(router: ChainRouter, account: Account): Promise<Decision> {
    const { sender, client, verify } = this.#request;
    const subject = { mailbox: this.#address.mailbox, original: this.#original };
    try {
      return checkedDecision(
        await router.router.route(subject, { sender, client, verify, account }),
      );
    } catch (error) {
      const where = `router ${router.name}`;
      this.#means.log.event("relay.error", { where, error: describeError(error) });
      return { kind: "defer", status: LOCAL_ERROR, why: "the router failed, see the log" };
    }
  }

  /** Adds a copy for each member that the preconditions of the router take. */
  async #copyToMembers(
    { name, unseen, preconditions }: ChainRouter,
    { transport, members = [], membersLater }: Extract<Decision, { kind: "accept" }>,
  ): Promise<void> {
    if (this.#isServed && !unseen) return;
    const { deliveries, troubles } = this.#step;
    const places = new Set(deliveries.map(({ account }) => JSON.stringify(account)));
    let count = 0;
    for (const mailbox of members) {
      count += 1;
      if (count % MEMBERS_SLICE === 0) await new Promise(setImmediate);
      const found = await meets(preconditions, mailbox, this.#request.sender);
      const copied = { mailbox, unseen: true };
      if (found.kind === "defer") {
        troubles.push(trouble("deferred", copied, name, LOCAL_ERROR, found.why));
      }
      if (found.kind !== "in") continue;
      const { account } = found;
      const place = JSON.stringify(account);
      if (places.has(place)) continue;
      places.add(place);
      deliveries.push({ router: name, transport, ...copied, original: this.#original, account });
    }
    if (membersLater === undefined) return;
    const group = { mailbox: this.#address.mailbox, unseen: true };
    troubles.push(trouble("deferred", group, name, membersLater.status, membersLater.why));
  }

  /** Carries a decision out. True: the address is settled. "unrouted": no further router is asked. */
  #take(router: ChainRouter, decision: Decision, account: Account): boolean | "unrouted" {
    if (this.#isServed && !router.unseen) return isLast(router, decision);
    const { mailbox } = this.#address;
    const { deliveries, troubles, discarded } = this.#step;
    const { name, unseen } = router;
    const copied = { mailbox, unseen: unseen || this.#address.unseen };
    switch (decision.kind) {
      case "accept": {
        const { transport, hosts } = decision;
        const original = this.#original;
        const made: Draft<RoutedDelivery> = {
          router: name,
          transport,
          ...copied,
          original,
          account,
        };
        if (copied.unseen && isUnlisted(router, account)) made.unlisted = true;
        if (hosts !== undefined) made.hosts = hosts;
        deliveries.push(made);
        return !unseen;
      }
      case "redirect": {
        const children = this.#means.steps.childrenOf(decision.to, name, copied.unseen);
        const before = this.#step.children;
        this.#step.children = before.length === 0 ? children : [...before, ...children];
        return !unseen;
      }
      case "decline":
        return this.#declined(router, decision);
      case "pass":
        return false;
      case "discard":
        if (!unseen && this.#otherwise !== undefined) this.#fail(copied, name, this.#otherwise);
        else if (!unseen) discarded.push({ mailbox, router: name, why: decision.why });
        return !unseen;
      case "fail":
        // A copy that cannot be made causes no bounce: the address goes on.
        if (!unseen) this.#fail(copied, name, decision.status, decision.why);
        return !unseen;
      case "defer":
        troubles.push(trouble("deferred", copied, name, decision.status, decision.why));
        return !unseen;
    }
  }

  #declined(
    { name, more, unseen }: ChainRouter,
    { status: reply, otherwise, why }: Extract<Decision, { kind: "decline" }>,
  ): boolean | "unrouted" {
    if (unseen) {
      const copied = { mailbox: this.#address.mailbox, unseen };
      if (otherwise !== undefined) {
        this.#step.troubles.push(trouble("deferred", copied, name, otherwise, why));
      }
      return false;
    }
    this.#otherwise ??= otherwise;
    if (reply !== undefined) this.#reason ??= { status: reply, ...whyOf(name, why) };
    return more ? false : "unrouted";
  }

  /** Fails the address. If a router that declined was unsure, it defers the address: it may be that router's. */
  #fail(
    address: Pick<Address, "mailbox" | "unseen">,
    router: string,
    reply: Status,
    why?: string,
  ): void {
    const kind = this.#otherwise === undefined ? "failed" : "deferred";
    this.#step.troubles.push(trouble(kind, address, router, this.#otherwise ?? reply, why));
  }

  /** Exim's loop guard: whether the router has handled this address already on the way from the recipient. */
  #handledBefore({ name }: ChainRouter): boolean {
    let { parent, router } = this.#address;
    for (; parent !== undefined; { parent, router } = parent) {
      if (router === name && isSameMailbox(parent.mailbox, this.#address.mailbox)) return true;
    }
    return false;
  }

  #note(router: ChainRouter, result: TraceStep["result"], why: string): void {
    const { address } = this.#address.mailbox;
    this.#request.trace?.push({ address, router: router.name, result, why });
  }
}

/** Whether its list of senders matched without a name, as "!lsearch:accounts" does. */
function isUnlisted({ preconditions }: ChainRouter, { senderLocalPart }: Account): boolean {
  return (
    senderLocalPart === undefined && preconditions.some(({ key }) => key === "senderLocalPart")
  );
}

/** Whether the chain ends with what the router has said. */
function isLast({ more }: ChainRouter, { kind }: Decision): boolean {
  if (kind === "pass") return false;
  return kind !== "decline" || !more;
}

function marked<T extends RoutedDelivery | RouteTrouble>(one: T): T {
  return one.unseen ? one : { ...one, homonym: true };
}

function withHomonyms(step: Step): Step {
  return {
    ...step,
    deliveries: step.deliveries.map(marked),
    troubles: step.troubles.map(marked),
  };
}

export function trouble(
  kind: RouteTrouble["kind"],
  { mailbox, unseen }: Pick<Address, "mailbox" | "unseen">,
  router: string,
  reply: Status,
  why?: string,
): RouteTrouble {
  return { kind, mailbox, router, unseen, status: reply, ...whyOf(router, why) };
}

function whyOf(router: string, why: string | undefined): Pick<RouteTrouble, "why"> {
  return given({ why: why === undefined ? undefined : `${router}: ${why}` });
}
