// The checks of the DNS: the records of this relay and of its domains.

import type { CheckPart, Setup } from "../check.ts";
import { skipped } from "../finding.ts";
import { DOMAINS_MAX, heloNames, ownDomains } from "../own.ts";
import { checkPointers, findAddresses, type OwnAddresses } from "./addresses.ts";
import { checkDkim } from "./dkim.ts";
import { checkDmarcRecord } from "./dmarc.ts";
import { checkExchangers } from "./exchangers.ts";
import { checkMtaSts } from "./mta-sts.ts";
import { checkSpfRecord } from "./spf.ts";

export async function checkDns(setup: Setup): Promise<readonly CheckPart[]> {
  const { hostname } = setup.configuration.relay;
  const addresses = findAddresses(setup);
  const domains = await ownDomains(setup.configuration);
  const checked = domains.slice(0, DOMAINS_MAX);
  return [
    { about: `A of ${hostname}`, findings: addresses.then(({ findings }) => findings) },
    { about: "PTR", findings: checkPointers(addresses, setup) },
    ...checked.flatMap((domain) => partsOf(domain, addresses, setup)),
    // If a name is a domain of ours too, its record is checked as such.
    ...heloNames(setup.configuration)
      .filter((name) => !domains.includes(name))
      .map((name) => spfPart(name, true, addresses, setup)),
    ...checkDkim(setup),
    ...leftOut(domains.length - checked.length),
    ...(domains.length > 0 ? [] : [skippedPart("[gate] local_domains names no domain to look up")]),
  ];
}

function partsOf(domain: string, addresses: Promise<OwnAddresses>, setup: Setup): CheckPart[] {
  const exchangers = checkExchangers(domain, addresses, setup);
  return [
    { about: `MX of ${domain}`, findings: exchangers.then(({ findings }) => findings) },
    spfPart(domain, false, addresses, setup),
    {
      about: `DMARC of ${domain}`,
      findings: checkDmarcRecord(domain, setup.chain.outside.resolver),
    },
    { about: `MTA-STS of ${domain}`, findings: checkMtaSts(domain, exchangers, setup) },
  ];
}

function spfPart(
  name: string,
  isHelo: boolean,
  addresses: Promise<OwnAddresses>,
  setup: Setup,
): CheckPart {
  return { about: `SPF of ${name}`, findings: checkSpfRecord({ name, isHelo }, addresses, setup) };
}

function leftOut(count: number): CheckPart[] {
  return count > 0 ? [skippedPart(`${count} more domains were not looked up`)] : [];
}

function skippedPart(found: string): CheckPart {
  return { about: found, findings: Promise.resolve(skipped(found)) };
}
