// The router chain for one recipient: preconditions, `unseen`, `more`, loop guard. Knows no driver.
//
// Invariants: a lookup that cannot be answered defers, it never counts as "no". A driver that throws, or says what
// is no decision, defers. An address that no router takes ends in 550 5.1.1, never in silence. A copy (`unseen`)
// decides nothing about the address itself: what fails or defers it, and all that it is redirected to, touches
// only the copy.

import type { Account, Decision, Host, Router } from "./contract.ts";
import type { Client, Mailbox } from "./envelope.ts";
import { describeError, type Log } from "./log.ts";
import { type Found, joined, meets, type Precondition } from "./route/preconditions.ts";
import { type Child, type Step, stepKeyOf, Steps } from "./route/steps.ts";
import { LoopShare } from "./smtp/loop-share.ts";
import { LOCAL_ERROR, status, type Status } from "./status.ts";

export { Steps } from "./route/steps.ts";
export { preconditionsOf } from "./route/preconditions.ts";

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

const UNROUTEABLE = status(550, "1.1", "No such user here");
const LOOP = status(451, "4.6", "Routing loop");

/** Work between two looks at the share of the turn, and what it counts there: an address that is known already is 1. */
const SLICE = 1000;
const SLICE_COST = 24 * 1024;
const WALK = 25;

/** An address on its way from a recipient. */
interface Address {
  readonly mailbox: Mailbox;
  /** A redirected copy. */
  readonly unseen: boolean;
  readonly parent: Address | undefined;
  /** The router by which it came from its parent; "" for the recipient. */
  readonly router: string;
  readonly depth: number;
}

export function createRoute(
  chain: readonly ChainRouter[],
  log: Log,
  addressesMax = ADDRESSES_MAX,
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
      const walk = known ?? new Walk(chain, address, recipient, request, steps, log).run();
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

/** The loop guard is as careful as it can be: it does not tell one case of a local part from another. */
function isSame(one: Mailbox, other: Mailbox): boolean {
  return (
    one.domain === other.domain &&
    one.localPart.length === other.localPart.length &&
    one.localPart.toLowerCase() === other.localPart.toLowerCase()
  );
}

/** One address on its way down the chain. */
class Walk {
  readonly #chain: readonly ChainRouter[];
  readonly #address: Address;
  readonly #original: Mailbox;
  readonly #request: RouteRequest;
  readonly #steps: Steps;
  readonly #log: Log;
  readonly #step = {
    deliveries: [] as RoutedDelivery[],
    troubles: [] as RouteTrouble[],
    discarded: [] as Routing["discarded"],
    children: [] as readonly Child[],
  };
  /** The reply, if no router takes the address and one that declined was not sure. */
  #otherwise: Status | undefined;

  constructor(
    chain: readonly ChainRouter[],
    address: Address,
    original: Mailbox,
    request: RouteRequest,
    steps: Steps,
    log: Log,
  ) {
    this.#chain = chain;
    this.#address = address;
    this.#original = original;
    this.#request = request;
    this.#steps = steps;
    this.#log = log;
  }

  /** Never rejects. */
  async run(): Promise<Step> {
    for (const router of this.#chain) {
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
          : { kind: "defer", status: LOCAL_ERROR };
      this.#note(router, decision.kind, joined(found.why, "why" in decision ? decision.why : ""));
      if (this.#take(router, decision, account)) return this.#step;
    }
    this.#fail(this.#address, "", UNROUTEABLE);
    return this.#step;
  }

  async #meets({ name, relayed: wanted, preconditions }: ChainRouter): Promise<Found> {
    const {
      sender,
      relayed = false,
      relayedWhy = relayed ? "it was" : "it was not",
    } = this.#request;
    try {
      const found = await meets(preconditions, this.#address.mailbox, sender);
      if (wanted === undefined || found.kind === "out") return found;
      const why = joined(found.why, `relayed = ${wanted}: ${relayedWhy}`);
      return wanted === relayed ? { ...found, why } : { kind: "out", why };
    } catch (error) {
      const where = `preconditions of router ${name}`;
      this.#log.event("relay.error", { where, error: describeError(error) });
      return { kind: "defer", why: "a list failed, see the log" };
    }
  }

  async #ask(router: ChainRouter, account: Account): Promise<Decision> {
    const { sender, client, verify } = this.#request;
    const subject = { mailbox: this.#address.mailbox, original: this.#original };
    try {
      return checked(await router.router.route(subject, { sender, client, verify, account }));
    } catch (error) {
      const where = `router ${router.name}`;
      this.#log.event("relay.error", { where, error: describeError(error) });
      return { kind: "defer", status: LOCAL_ERROR, why: "the router failed, see the log" };
    }
  }

  /** Carries a decision out; true when the address is settled. */
  #take(router: ChainRouter, decision: Decision, account: Account): boolean {
    const { mailbox } = this.#address;
    const { deliveries, troubles, discarded } = this.#step;
    const { name, unseen } = router;
    const copied = { mailbox, unseen: unseen || this.#address.unseen };
    switch (decision.kind) {
      case "accept": {
        const { transport, hosts } = decision;
        deliveries.push({
          router: name,
          transport,
          ...copied,
          ...(copied.unseen && isUnlisted(router, account) ? { unlisted: true } : {}),
          ...(router.cutthrough === true ? { cutthrough: true } : {}),
          original: this.#original,
          account,
          ...(hosts === undefined ? {} : { hosts }),
        });
        return !unseen;
      }
      case "redirect": {
        const children = this.#steps.childrenOf(decision.to, name, copied.unseen);
        const before = this.#step.children;
        this.#step.children = before.length === 0 ? children : [...before, ...children];
        return !unseen;
      }
      case "decline":
        if (unseen) {
          const { otherwise } = decision;
          if (otherwise !== undefined) troubles.push(trouble("deferred", copied, name, otherwise));
          return false;
        }
        this.#otherwise ??= decision.otherwise;
        if (router.more) return false;
        this.#fail(copied, name, UNROUTEABLE);
        return true;
      case "pass":
        return false;
      case "discard":
        if (!unseen && this.#otherwise !== undefined) this.#fail(copied, name, this.#otherwise);
        else if (!unseen) discarded.push({ mailbox, router: name, why: decision.why });
        return !unseen;
      case "fail":
        // A copy that cannot be made is nobody's bounce: the address simply goes on.
        if (!unseen) this.#fail(copied, name, decision.status);
        return !unseen;
      case "defer":
        troubles.push(trouble("deferred", copied, name, decision.status));
        return !unseen;
    }
  }

  /** Deferred if a router that declined was not sure: it may have been its address. */
  #fail(address: Pick<Address, "mailbox" | "unseen">, router: string, reply: Status): void {
    const kind = this.#otherwise === undefined ? "failed" : "deferred";
    this.#step.troubles.push(trouble(kind, address, router, this.#otherwise ?? reply));
  }

  /** Exim's loop guard: no router handles one address twice on the way from a recipient. */
  #handledBefore({ name }: ChainRouter): boolean {
    let { parent, router } = this.#address;
    for (; parent !== undefined; { parent, router } = parent) {
      if (router === name && isSame(parent.mailbox, this.#address.mailbox)) return true;
    }
    return false;
  }

  #note(router: ChainRouter, result: TraceStep["result"], why: string): void {
    const { address } = this.#address.mailbox;
    this.#request.trace?.push({ address, router: router.name, result, why });
  }
}

/** Its list of senders has let one through, and by no name: "everybody but these". */
function isUnlisted({ preconditions }: ChainRouter, { senderLocalPart }: Account): boolean {
  return (
    senderLocalPart === undefined && preconditions.some(({ key }) => key === "senderLocalPart")
  );
}

function trouble(
  kind: RouteTrouble["kind"],
  { mailbox, unseen }: Pick<Address, "mailbox" | "unseen">,
  router: string,
  reply: Status,
): RouteTrouble {
  return { kind, mailbox, router, unseen, status: reply };
}

const KINDS: ReadonlySet<unknown> = new Set<Decision["kind"]>([
  "accept",
  "redirect",
  "decline",
  "pass",
  "discard",
  "fail",
  "defer",
]);

/** A driver that no compiler has checked may say anything. Throws for what could lose or bounce mail. */
function checked(decision: Decision): Decision {
  const { kind } = decision;
  const isPlain =
    KINDS.has(kind) &&
    (kind !== "redirect" || decision.to.length > 0) &&
    (kind !== "decline" || isTemporary(decision.otherwise)) &&
    (kind !== "fail" || decision.status.code >= 500);
  if (isPlain) return decision;
  throw new TypeError(`no decision: ${JSON.stringify(decision)}`);
}

function isTemporary(reply: Status | undefined): boolean {
  return reply === undefined || (reply.code >= 400 && reply.code < 500);
}
