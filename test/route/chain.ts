// A chain of routers that answer as they are told, and short texts for what it decides.

import type { Decision, RouteContext, Router, RouteSubject } from "../../src/contract/contract.ts";
import type { Match } from "../../src/lists/lists.ts";
import {
  type ChainRouter,
  createRoute,
  preconditionsOf,
  type RouteRequest,
  type Routing,
} from "../../src/route/route.ts";
import { status } from "../../src/mail/status.ts";
import { mailbox } from "../support/build.ts";
import { recordingLog } from "../support/services.ts";

export const GONE = status(550, "1.6", "gone");

export const accept = (transport: string): Decision => ({ kind: "accept", transport });

export const redirect = (...to: string[]): Decision => ({ kind: "redirect", to: to.map(mailbox) });

export const decline: Decision = { kind: "decline" };

export type Answer = Decision | ((subject: RouteSubject, context: RouteContext) => Decision);

export function router(
  name: string,
  answer: Answer,
  given: Partial<ChainRouter> = {},
): ChainRouter {
  const driver: Router = {
    route: (subject, context) => (typeof answer === "function" ? answer(subject, context) : answer),
  };
  return { name, router: driver, unseen: false, more: true, preconditions: [], ...given };
}

export const request: RouteRequest = {
  sender: mailbox("Carol@example.net"),
  client: { address: "192.0.2.1", helo: "client.example.net" },
  verify: false,
};

export function routed(chain: readonly ChainRouter[], to = "alice@example.com", given = request) {
  return createRoute(chain, recordingLog())(mailbox(to), given);
}

/** "router:transport:address", with "copy" for an unseen one. */
export function deliveriesOf({ deliveries }: Routing): string[] {
  return deliveries.map(
    ({ router: by, transport, mailbox: { address }, unseen }) =>
      `${by}:${transport}:${address}${unseen ? ":copy" : ""}`,
  );
}

export function troublesOf({ troubles }: Routing): string[] {
  return troubles.map(
    ({ kind, router: by, mailbox: { address }, status: { enhanced }, unseen }) =>
      `${kind}:${by}:${address}:${enhanced}${unseen ? ":copy" : ""}`,
  );
}

export const list = (answer: Match) => ({ match: () => answer });

export const UNKNOWN: Match = { kind: "defer", why: "unreadable" };

export function preconditionsWith(lists: Partial<Parameters<typeof preconditionsOf>[0]>) {
  return preconditionsOf({
    domains: undefined,
    localParts: undefined,
    senderDomains: undefined,
    senderLocalParts: undefined,
    ...lists,
  });
}
