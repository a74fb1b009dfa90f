// Whether the MTA-STS policy of a domain of ours (RFC 8461) lets other hosts deliver to this relay: it must name the
// relay's MX, and the relay must show a public certificate for that name. A domain without a policy has no finding.

import { fetchPolicy } from "../../../tls/policy-fetch.ts";
import { isListed, parsePolicy, recordId, type StsPolicy } from "../../../tls/policy-text.ts";
import { ownCertificates, readCertificate, readingProblem } from "../certificates.ts";
import type { Setup } from "../check.ts";
import { failure, type Finding, ok, skipped, warning } from "../finding.ts";
import type { Exchangers } from "./exchangers.ts";

export async function checkMtaSts(
  domain: string,
  exchangers: Promise<Exchangers>,
  setup: Setup,
): Promise<readonly Finding[]> {
  const at = `MTA-STS of ${domain}`;
  const answer = await setup.chain.outside.resolver.txt(`_mta-sts.${domain}`);
  if (answer.kind === "temporary") {
    return [skipped(`${at}: the DNS gives no answer: ${answer.error}`)];
  }
  const texts = answer.kind === "found" ? answer.records : [];
  if (!texts.some((text) => /^v=STSv1/i.test(text))) return [];
  if (recordId(texts) === undefined) {
    const advice = `Publish one record like _mta-sts.${domain} TXT "v=STSv1; id=20260101".`;
    return [failure(`${at}: the record is invalid, so other hosts ignore the policy`, advice)];
  }
  let policy: StsPolicy;
  try {
    policy = parsePolicy(await fetched(domain, setup));
  } catch (error) {
    const advice = `Serve the policy at https://mta-sts.${domain}/.well-known/mta-sts.txt, with a public certificate.`;
    return [failure(`${at}: the policy cannot be used: ${readingProblem(error)}`, advice)];
  }
  if (policy.mode === "none") return [ok(`${at}: the policy is withdrawn (mode: none)`)];
  const { own } = await exchangers;
  const names = own.length > 0 ? own : [setup.configuration.relay.hostname];
  const problem = unnamed(at, names, policy) ?? (await distrusted(at, names, policy, setup));
  return [problem ?? ok(`${at}: ${policy.mode}, names ${names.join(", ")}, certificate public`)];
}

function fetched(domain: string, { chain, clock, signal }: Setup): Promise<string> {
  return fetchPolicy(domain, { ...chain.outside, clock, signal });
}

/** With "enforce" mail is refused already; with "testing" it is only reported. */
function bad({ mode }: StsPolicy): typeof failure {
  return mode === "enforce" ? failure : warning;
}

function unnamed(at: string, names: readonly string[], policy: StsPolicy): Finding | undefined {
  const missing = names.filter((name) => !isListed(name, policy));
  if (missing.length === 0) return undefined;
  return bad(policy)(
    `${at}: the policy (${policy.mode}) names ${policy.mx.slice(0, 5).join(", ")}, and not ${missing.join(", ")}`,
    `Add ${missing.map((name) => `"mx: ${name}"`).join(" and ")} to the policy, and change the id of the record.`,
  );
}

async function distrusted(
  at: string,
  names: readonly string[],
  policy: StsPolicy,
  { configuration }: Setup,
): Promise<Finding | undefined> {
  const advice = "Use a certificate of a public authority for this name in [[listeners]].";
  const certificates = ownCertificates(configuration);
  if (certificates.length === 0) {
    return bad(policy)(
      `${at}: the policy (${policy.mode}) wants TLS, and no listener offers it`,
      advice,
    );
  }
  const read = await Promise.allSettled(
    certificates.map((certificate) => readCertificate(certificate)),
  );
  const usable = read.flatMap((certificate) =>
    certificate.status === "fulfilled" ? [certificate.value] : [],
  );
  // The check `tls` is about dates, and about the name of the relay itself.
  const { hostname } = configuration.relay;
  for (const name of names) {
    const named = usable.filter(
      ({ leaf }) => name === hostname || leaf.checkHost(name) !== undefined,
    );
    if (named.some(({ distrust }) => distrust === undefined) || usable.length === 0) continue;
    const why = named.length === 0 ? `it is not for ${name}` : "it is not from a public authority";
    return bad(policy)(
      `${at}: hosts refuse our certificate under the policy (${policy.mode}): ${why}`,
      advice,
    );
  }
  return undefined;
}
