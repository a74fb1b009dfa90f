// `{domain}` in an item of a list of local parts: "lsearch:accounts/{domain}" looks up in one file for each domain. The
// value is the canonical key that the list of domains beside it has matched.
//
// Invariant: the value is one safe name of a file, also if a pattern like "*.example.com" has matched a domain that a
// stranger chose.

const PLACEHOLDER = "{domain}";

export function hasPlaceholder(text: string): boolean {
  return text.includes(PLACEHOLDER);
}

/** The text with the domain in place of `{domain}`; undefined if the domain is not safe in the name of a file. */
export function withDomain(text: string, domain: string): string | undefined {
  return SAFE.test(domain) ? text.replaceAll(PLACEHOLDER, domain) : undefined;
}

/** Canonical domains, and the names of other keys: no slash, no dot in front, at most 253 octets. */
const SAFE = /^[a-z0-9_-][a-z0-9_.-]{0,252}$/;
