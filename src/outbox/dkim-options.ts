// [relay] dkim: the keys that sign the mail that the relay writes itself.

import { parseDomain } from "../mail/address.ts";
import { type Option, options, parsedText, tables, text, type Values } from "../options/options.ts";
import { keyFile } from "../options/secret-file.ts";

/** RFC 6376 3.5: letters, digits and hyphens, in labels of at most 63. */
const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const SIGNING_DOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})+$`);
const SELECTOR = new RegExp(`^(?=.{1,180}$)${LABEL}(?:\\.${LABEL})*$`, "i");

/** The domain in a signature, in canonical form. */
export function signingDomain(doc: string): Option<string> {
  return parsedText("domain", { doc, is: 'a domain like "example.com"' }, (written) => {
    const domain = parseDomain(written);
    return domain !== undefined && SIGNING_DOMAIN.test(domain) ? domain : undefined;
  });
}

export function dkimSelector(doc: string, example: string): Option<string> {
  return text(doc, { test: SELECTOR, is: `a selector like "${example}"` });
}

const signerOptions = options({
  domain: signingDomain(
    "The domain that signs. It signs mail whose From address is in this domain or below it, as `MAILER-DAEMON@mx.example.com` is below `example.com`. If several domains match, the longest signs.",
  ),
  selector: dkimSelector(
    "The selector of the key. The public key is published at `SELECTOR._domainkey.DOMAIN`; `relayctl check` prints the record.",
    "relay",
  ),
  key_file: keyFile(
    "The private key, PEM: RSA of 1024 bits or more, or Ed25519. It is read at the start and at each reload.",
  ),
});

export type DkimSigner = Values<typeof signerOptions>;

/** Keys, each with its own place for its record in the DNS. */
export function dkimKeys(doc: string): Option<readonly DkimSigner[]> {
  const signers = tables(doc, signerOptions);
  return {
    ...signers,
    read(value, path, problems) {
      const read = signers.read(value, path, problems) ?? [];
      const records = read.map(({ domain, selector }) => `${selector.toLowerCase()} ${domain}`);
      for (const [index, record] of records.entries()) {
        const first = records.indexOf(record);
        if (first === index) continue;
        const message = `has the domain and the selector of ${path}[${first}]`;
        problems.push({ path: `${path}[${index}]`, message });
      }
      return read;
    },
  };
}

export const dkimSigners = dkimKeys(
  "Keys that sign the mail that the relay writes itself with DKIM: bounces, warnings, and the postmaster's list. Two keys of one domain, RSA and Ed25519, both sign. Without a key for the domain of the From address the mail is not signed. Mail that people submit is signed by `dkim` of an smtp transport; other mail is never signed.",
);
