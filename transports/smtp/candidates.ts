// Which hosts a batch may be taken to, in order, and under which TLS policies: those that the router has named, or the
// transport's own, and then the transport's fallback hosts.

import { shuffled } from "../../src/base/shuffled.ts";
import type { Batch } from "../../src/contract/contract.ts";
import type { Host } from "../../src/mail/host.ts";
import type { Means } from "./means.ts";
import type { Barred, Policies } from "./policy.ts";
import { socketTarget, targetsOf, type Target } from "./targets.ts";

/** Undefined in the place of a host whose look-ups take too long. */
export function candidatesOf(
  means: Means,
  batch: Batch,
): AsyncIterable<Target | Barred | undefined> | readonly Target[] {
  const { options, services, room, policies } = means;
  if (options.socket !== undefined) return [socketTarget(options.socket, policies.local)];
  const own = { services, policies: policiesOf(means, batch), room };
  return targetsOf(hostsOf(means, batch), options.port, own);
}

/** The message must not travel without TLS, and leaves this machine. */
export function requiresTls({ options }: Pick<Means, "options">, { envelope }: Batch): boolean {
  return envelope.requireTls === true && options.socket === undefined;
}

/** RFC 8460 3: the report that says that TLS is broken gets through all the same. */
function policiesOf(means: Means, batch: Batch): Pick<Policies, "of"> {
  const { policies, strictPolicies } = means;
  if (batch.envelope.tlsOptional === true) return { of: () => policies.local };
  return requiresTls(means, batch) ? strictPolicies : policies;
}

function hostsOf({ options }: Means, batch: Batch): readonly Host[] {
  const { hosts, fallback_hosts: fallback, hosts_randomize: randomize } = options;
  const inOrder = randomize ? shuffled : <T>(list: readonly T[]) => list;
  const first = batch.hosts ?? inOrder(hosts ?? []);
  return fallback === undefined ? first : [...first, ...inOrder(fallback)];
}
