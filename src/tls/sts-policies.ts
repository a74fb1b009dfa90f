// The MTA-STS policies of other domains, as transports see them.

import type { StsPolicy } from "./policy-text.ts";

export interface KeptPolicy extends StsPolicy {
  readonly domain: string;
  /** The id in the TXT record when the policy was fetched. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number;
}

/** The end of the policy, in milliseconds since the epoch: from then on it does not apply. */
export function endOf({ fetchedAt, maxAge }: KeptPolicy): number {
  return fetchedAt + maxAge * 1000;
}

/** The source of policies for transports. */
export interface StsPolicies {
  /** The policy that applies to mail to this domain now; "unknown" while its fetch waits in line. Never rejects. */
  policyOf(domain: string): Promise<KeptPolicy | "unknown" | undefined>;
}

/** For a relay without MTA-STS: no domain has a policy. */
export const NO_POLICIES: StsPolicies = { policyOf: () => Promise.resolve(undefined) };
