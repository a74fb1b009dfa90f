// What the chain is made of, and what it is asked.

import type { MaybePromise } from "../base/maybe-promise.ts";
import type { Decision, Router } from "../contract/contract.ts";
import type { Client, Mailbox } from "../mail/envelope.ts";
import type { Precondition } from "./preconditions.ts";
import type { Routing } from "./routing.ts";
import type { Steps } from "./steps.ts";

/** One router as the configuration makes it. */
export interface ChainRouter {
  readonly name: string;
  readonly router: Router;
  readonly unseen: boolean;
  readonly more: boolean;
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
  /** True of an address whose mail has had its end: the chain is asked for its copies alone. Absent: of none. */
  readonly served?: (mailbox: Mailbox) => MaybePromise<boolean>;
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

/** Never rejects. */
export type Route = (recipient: Mailbox, request: RouteRequest) => Promise<Routing>;
