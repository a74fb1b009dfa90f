// The hosts that a batch may be taken to, in order, with their TLS policies: those that the router named, or else the
// transport's own, and then the transport's fallback hosts.

import { shuffled } from "../../src/base/shuffled.ts";
import type { Batch } from "../../src/contract/contract.ts";
import type { Host } from "../../src/mail/host.ts";
import type { TransportContext } from "./context.ts";
import type { Barred, Policies } from "./policy.ts";
import { socketTarget, targetsOf, type Target } from "./targets.ts";

/** Yields the candidates in order, and undefined instead of a host whose look-ups take too long. */
export function candidatesOf(
  context: TransportContext,
  batch: Batch,
): AsyncIterable<Target | Barred | undefined> | readonly Target[] {
  const { options, services, room, policies } = context;
  if (options.socket !== undefined) return [socketTarget(options.socket, policies.local)];
  const own = { services, policies: policiesOf(context, batch), room };
  return targetsOf(hostsOf(context, batch), options.port, own);
}

/** Whether the message requires TLS and leaves this machine. */
export function requiresTls(
  { options }: Pick<TransportContext, "options">,
  { envelope }: Batch,
): boolean {
  return envelope.requireTls === true && options.socket === undefined;
}

/** Returns the policies for the batch. A TLS report must get through even if TLS is broken (RFC 8460 3). */
function policiesOf(context: TransportContext, batch: Batch): Pick<Policies, "of"> {
  const { policies, strictPolicies } = context;
  if (batch.envelope.tlsOptional === true) return { of: () => policies.local };
  return requiresTls(context, batch) ? strictPolicies : policies;
}

function hostsOf({ options }: TransportContext, batch: Batch): readonly Host[] {
  const { hosts, fallback_hosts: fallback, hosts_randomize: randomize } = options;
  const inOrder = randomize ? shuffled : <T>(list: readonly T[]) => list;
  const first = batch.hosts ?? inOrder(hosts ?? []);
  return fallback === undefined ? first : [...first, ...inOrder(fallback)];
}
