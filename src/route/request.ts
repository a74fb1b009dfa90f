// The routers of the chain, and a request to the chain.

import type { MaybePromise } from "../base/maybe-promise.ts";
import type { Decision, Router } from "../contract/contract.ts";
import type { Client, Mailbox } from "../mail/envelope.ts";
import type { Precondition } from "./preconditions.ts";
import type { Routing } from "./routing.ts";
import type { Steps } from "./steps.ts";

/** A router with its options from the configuration. */
export interface ChainRouter {
  readonly name: string;
  readonly router: Router;
  readonly unseen: boolean;
  readonly more: boolean;
  /** True: only relayed mail. False: only other mail. Absent: both. */
  readonly relayed?: boolean | undefined;
  /** True: only mail from the archive. False: only other mail. Absent: both. */
  readonly restored?: boolean | undefined;
  readonly preconditions: readonly Precondition[];
}

export interface RouteRequest {
  readonly sender: Mailbox | null;
  readonly client: Client;
  readonly verify: boolean;
  /** Whether the mail came by a relay rule, with its proof. Absent: unknown, and treated as not relayed. */
  readonly relayed?: boolean;
  /** The reason for `relayed`, for the trace. */
  readonly relayedWhy?: string;
  /** Whether the mail comes back from the archive. Absent: it does not. */
  readonly restored?: boolean;
  /** Whether the mail of an address is over: then the chain decides only about its copies. Absent: never. */
  readonly served?: (mailbox: Mailbox) => MaybePromise<boolean>;
  /** Results for earlier recipients of the message, which are used again. Not together with `trace`. */
  readonly steps?: Steps;
  /** If present, gets a line for each router that was asked. */
  readonly trace?: TraceStep[];
}

export interface TraceStep {
  readonly address: string;
  readonly router: string;
  readonly result: "skipped" | Decision["kind"];
  readonly why: string;
}

/** Routes a recipient. Never rejects. */
export type Route = (recipient: Mailbox, request: RouteRequest) => Promise<Routing>;
