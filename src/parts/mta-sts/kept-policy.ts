// MTA-STS policies on disk, so that they outlive a restart. One JSON file a domain.
//
// Invariant: a file is checked when it is read, as if a stranger had written it.

import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isTable } from "../../base/table.ts";
import { filesIn, replaceFile } from "../../base/durable/kept-files.ts";
import { parsePolicy, policyText } from "../../tls/policy-text.ts";
import type { KeptPolicy } from "../../tls/sts-policies.ts";

/** Longer domains leave no room for the ending in the name of a file. They are rare, and their policies are not stored. */
const LONGEST_NAME = 240;
const ENDING = ".json";

function pathOf(directory: string, domain: string): string {
  return join(directory, `${domain}${ENDING}`);
}

/** All policies on disk. `broken` is called for each file that cannot be used. */
export async function readPolicies(
  directory: string,
  broken: (path: string, error: unknown) => void,
): Promise<KeptPolicy[]> {
  const policies: KeptPolicy[] = [];
  for (const file of await filesIn(directory)) {
    if (!file.endsWith(ENDING)) continue;
    const path = join(directory, file);
    try {
      const domain = file.slice(0, -ENDING.length);
      policies.push(checked(JSON.parse(await readFile(path, "utf8")), domain));
    } catch (error) {
      broken(path, error);
    }
  }
  return policies;
}

function checked(kept: unknown, domain: string): KeptPolicy {
  if (!isTable(kept) || kept["domain"] !== domain) throw new Error("speaks of another domain");
  const { id, fetchedAt, text } = kept;
  if (typeof id !== "string" || typeof text !== "string") throw new Error("is not whole");
  if (typeof fetchedAt !== "number" || !Number.isFinite(fetchedAt)) throw new Error("has no time");
  return { domain, id, fetchedAt, ...parsePolicy(text) };
}

export async function writePolicy(directory: string, policy: KeptPolicy): Promise<void> {
  const { domain, id, fetchedAt } = policy;
  if (domain.length > LONGEST_NAME) return;
  const kept = { domain, id, fetchedAt, text: policyText(policy) };
  await replaceFile(pathOf(directory, domain), `${JSON.stringify(kept, undefined, 2)}\n`);
}

export async function removePolicy(directory: string, domain: string): Promise<void> {
  if (domain.length > LONGEST_NAME) return;
  await rm(pathOf(directory, domain), { force: true });
}
