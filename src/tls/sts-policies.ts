// The MTA-STS policies of other domains, as transports ask for them.

import type { StsPolicy } from "./policy-text.ts";

export interface KeptPolicy extends StsPolicy {
  readonly domain: string;
  /** Of the TXT record under which it was fetched. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number;
}

/** In milliseconds since the epoch: from then on it says nothing. */
export function endOf({ fetchedAt, maxAge }: KeptPolicy): number {
  return fetchedAt + maxAge * 1000;
}

/** What a transport asks. */
export interface StsPolicies {
  /** The policy that holds for mail to this domain now; "unknown" as long as it is in line. Never rejects. */
  policyOf(domain: string): Promise<KeptPolicy | "unknown" | undefined>;
}

/** Where nobody asks for policies. */
export const NO_POLICIES: StsPolicies = { policyOf: () => Promise.resolve(undefined) };
