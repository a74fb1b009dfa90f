// The forms in which people write a domain into a file: as it is, with a dot at its end, or in its own script.

import { domainToUnicode } from "node:url";

/** The keys to look for, the canonical form first. */
export function writtenDomains(domain: string): readonly string[] {
  const forms = [domain, `${domain}.`];
  return domain.includes("xn--") ? [...forms, domainToUnicode(domain)] : forms;
}
