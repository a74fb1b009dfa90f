// `spf:DOMAIN` in a list of hosts: the hosts that the SPF record of a domain names.

import { parseDomain } from "../mail/address.ts";
import type { HostLookup } from "./lookup.ts";
import { SpfList } from "./spf-list.ts";

export const spf: HostLookup = {
  scheme: "spf",
  of: "hosts",
  shown: "spf:DOMAIN",
  doc: "matches the hosts that the SPF record of the domain lists.",
  isShared: true,
  problem: (domain) => (usable(domain) === undefined ? 'wants a domain after "spf:"' : undefined),
  nameOf: (domain) => usable(domain) ?? domain,
  open(domain, { stateDirectory, readOnly = false, ...services }) {
    const directory = stateDirectory === undefined ? {} : { directory: stateDirectory };
    return new SpfList({ ...services, domain, ...directory, keep: !readOnly });
  },
};

function usable(written: string): string | undefined {
  const domain = parseDomain(written);
  return domain?.startsWith("[") === true ? undefined : domain;
}
