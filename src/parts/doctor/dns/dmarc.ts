// Whether a domain, or the domain above it, has a DMARC policy (RFC 9989 4.10: the record of the nearest domain counts).

import type { Resolver } from "../../../dns/dns.ts";
import { type Finding, ok, skipped, warning } from "../finding.ts";

export async function checkDmarcRecord(domain: string, resolver: Resolver): Promise<Finding> {
  const at = `DMARC of ${domain}`;
  for (const owner of withParents(domain)) {
    const answer = await resolver.txt(`_dmarc.${owner}`);
    if (answer.kind === "temporary") {
      return skipped(`${at}: the DNS gives no answer: ${answer.error}`);
    }
    const texts = answer.kind === "found" ? answer.records : [];
    const records = texts.filter((text) => /^v=DMARC1\s*(?:;|$)/i.test(text));
    if (records.length > 0) return judged(at, owner, records);
  }
  return warning(
    `${at}: there is no record`,
    `Publish _dmarc.${domain} TXT "v=DMARC1; p=none; rua=mailto:postmaster@${domain}". Google wants it of all who send much.`,
  );
}

/** The domain, and those above it down to two labels. */
function withParents(domain: string): string[] {
  const labels = domain.split(".");
  const count = Math.max(1, labels.length - 1);
  return Array.from({ length: count }, (_, index) => labels.slice(index).join("."));
}

function judged(at: string, owner: string, records: readonly string[]): Finding {
  const [record = "", ...more] = records;
  if (more.length > 0) {
    const advice = "Leave one of them: with several, receivers use none.";
    return warning(`${at}: _dmarc.${owner} has ${records.length} records`, advice);
  }
  const policy = /;\s*p\s*=\s*(none|quarantine|reject)\s*(?:;|$)/i.exec(record)?.[1];
  return policy === undefined
    ? warning(
        `${at}: the record of _dmarc.${owner} has no policy`,
        "Add p=none, p=quarantine or p=reject.",
      )
    : ok(`${at}: p=${policy.toLowerCase()}`);
}
