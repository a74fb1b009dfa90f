// The router chain for one recipient: preconditions, `unseen`, `more`, loop guard. Knows no driver.
//
// Invariants: a lookup that cannot be answered defers, it never counts as "no". A driver that throws, or says what
// is no decision, defers. An address that no router takes ends in 550 5.1.1, never in silence. A copy (`unseen`)
// decides nothing about the address itself: what fails or defers it, and all that it is redirected to, touches
// only the copy.

import type { Account, Decision, Host, Router } from "./contract.ts";
import type { Client, Mailbox } from "./envelope.ts";
import type { DomainList, LocalPartList } from "./lists/lists.ts";
import { describeError, type Log } from "./log.ts";
import { LOCAL_ERROR, status, type Status } from "./status.ts";

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

/** One list that must hold before a router is asked. */
export interface Precondition {
  readonly key: keyof Account;
  /** The option's name, for the trace. */
  readonly option: string;
  readonly list: DomainList | LocalPartList;
  /** What the list is asked about; undefined for a null sender, which is in no list. */
  readonly subject: (mailbox: Mailbox, sender: Mailbox | null) => string | undefined;
}

/** The preconditions whose lists are given, in the order in which Exim tests them. */
export function preconditionsOf(lists: {
  readonly domains: DomainList | undefined;
  readonly localParts: LocalPartList | undefined;
  readonly senderDomains: DomainList | undefined;
  readonly senderLocalParts: LocalPartList | undefined;
}): Precondition[] {
  const preconditions: Precondition[] = [];
  const add = (
    key: keyof Account,
    option: string,
    list: DomainList | LocalPartList | undefined,
    subject: Precondition["subject"],
  ) => {
    if (list !== undefined) preconditions.push({ key, option, list, subject });
  };
  add("domain", "domains", lists.domains, ({ domain }) => domain);
  add("localPart", "local_parts", lists.localParts, ({ localPart }) => localPart);
  add("senderDomain", "sender_domains", lists.senderDomains, (_, sender) => sender?.domain);
  add(
    "senderLocalPart",
    "sender_local_parts",
    lists.senderLocalParts,
    (_, sender) => sender?.localPart,
  );
  return preconditions;
}

export interface RouteRequest {
  readonly sender: Mailbox | null;
  readonly client: Client;
  readonly verify: boolean;
  /** It came by a relay rule, its proof included. Absent where nobody knows: then it is not relayed. */
  readonly relayed?: boolean;
  /** How that is known, for the trace. */
  readonly relayedWhy?: string;
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
/** Addresses that one recipient may turn into. */
const ADDRESSES_MAX = 1000;

const UNROUTEABLE = status(550, "1.1", "No such user here");
const LOOP = status(451, "4.6", "Routing loop");

interface Address {
  readonly mailbox: Mailbox;
  /** A redirected copy. */
  readonly unseen: boolean;
  readonly ancestors: readonly { readonly mailbox: Mailbox; readonly router: string }[];
}

export function createRoute(chain: readonly ChainRouter[], log: Log): Route {
  return async (recipient, request) => {
    const routing: Routing = { deliveries: [], troubles: [], discarded: [] };
    const addresses: Address[] = [{ mailbox: recipient, unseen: false, ancestors: [] }];
    for (let next = 0; next < addresses.length; next++) {
      const address = addresses[next];
      if (address === undefined) break;
      if (address.ancestors.length > ANCESTORS_MAX || next >= ADDRESSES_MAX) {
        routing.troubles.push(trouble("deferred", address, "", LOOP));
        if (next >= ADDRESSES_MAX) break;
        continue;
      }
      const walk = new Walk(chain, address, recipient, request, routing, log);
      addresses.push(...(await walk.run()));
    }
    return routing;
  };
}

/** One address on its way down the chain. */
class Walk {
  readonly #chain: readonly ChainRouter[];
  readonly #address: Address;
  readonly #original: Mailbox;
  readonly #request: RouteRequest;
  readonly #routing: Routing;
  readonly #log: Log;
  readonly #children: Address[] = [];

  constructor(
    chain: readonly ChainRouter[],
    address: Address,
    original: Mailbox,
    request: RouteRequest,
    routing: Routing,
    log: Log,
  ) {
    this.#chain = chain;
    this.#address = address;
    this.#original = original;
    this.#request = request;
    this.#routing = routing;
    this.#log = log;
  }

  /** The addresses that this one was redirected to. */
  async run(): Promise<readonly Address[]> {
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
      if (this.#take(router, decision, account)) return this.#children;
    }
    this.#routing.troubles.push(trouble("failed", this.#address, "", UNROUTEABLE));
    return this.#children;
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
    const { deliveries, troubles, discarded } = this.#routing;
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
        const ancestors = [...this.#address.ancestors, { mailbox, router: name }];
        for (const to of decision.to) {
          this.#children.push({ mailbox: to, unseen: copied.unseen, ancestors });
        }
        return !unseen;
      }
      case "decline":
        if (router.more || unseen) return false;
        troubles.push(trouble("failed", copied, name, UNROUTEABLE));
        return true;
      case "pass":
        return false;
      case "discard":
        if (!unseen) discarded.push({ mailbox, router: name, why: decision.why });
        return !unseen;
      case "fail":
        // A copy that cannot be made is nobody's bounce: the address simply goes on.
        if (!unseen) troubles.push(trouble("failed", copied, name, decision.status));
        return !unseen;
      case "defer":
        troubles.push(trouble("deferred", copied, name, decision.status));
        return !unseen;
    }
  }

  /** Exim's loop guard: no router handles one address twice on the way from a recipient. */
  #handledBefore(router: ChainRouter): boolean {
    const { localPart, domain } = this.#address.mailbox;
    return this.#address.ancestors.some(
      (ancestor) =>
        ancestor.router === router.name &&
        ancestor.mailbox.domain === domain &&
        ancestor.mailbox.localPart.toLowerCase() === localPart.toLowerCase(),
    );
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
    (kind !== "fail" || decision.status.code >= 500);
  if (isPlain) return decision;
  throw new TypeError(`no decision: ${JSON.stringify(decision)}`);
}

type Found =
  | { readonly kind: "in"; readonly account: Account; readonly why: string }
  | { readonly kind: "out" | "defer"; readonly why: string };

function joined(one: string, other = ""): string {
  return one === "" || other === "" ? one + other : `${one}; ${other}`;
}

/** All preconditions of the router, in Exim's order; the first that is not "in" decides. */
async function meets(
  preconditions: readonly Precondition[],
  mailbox: Mailbox,
  sender: Mailbox | null,
): Promise<Found> {
  const account: { -readonly [K in keyof Account]: Account[K] } = {};
  let whys = "";
  for (const { key, option, list, subject } of preconditions) {
    const text = subject(mailbox, sender);
    if (text === undefined) {
      return { kind: "out", why: joined(whys, `${option}: the sender is <>`) };
    }
    const answer = list.match(text);
    const match = answer instanceof Promise ? await answer : answer;
    whys = joined(whys, `${option}: ${match.why}`);
    if (match.kind !== "in") return { kind: match.kind, why: whys };
    if (match.key !== undefined) account[key] = match.key;
  }
  return { kind: "in", account, why: whys };
}
