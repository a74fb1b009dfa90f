// [tls_reports]: the sender of reports on TLS, and the key that signs them.
//
// Invariant: the sender's domain is that of the signature or below it, so that the reports are aligned (RFC 8460 3).

import { mailbox, options, text, type Values, withCheck } from "../../options/options.ts";
import { privateKeyFile } from "../../options/secret-file.ts";
import { dkimSelector, signingDomain } from "../../outbox/dkim-options.ts";

const declaredOptions = options({
  from: mailbox(
    "The sender of the reports, and the address for questions about them. Its domain is the submitter.",
    "tls-reports@example.com",
  ),
  organization: text("The name of your organization, as the reports give it.", {
    test: /^[^\p{Cc}]{1,200}$/u,
    is: "a name of at most 200 characters, without control characters",
  }),
  dkim_domain: signingDomain(
    "The domain that signs the reports: the domain of `from`, or one above it.",
  ),
  dkim_selector: dkimSelector(
    "The selector of the key: its record is `SELECTOR._domainkey.DOMAIN`, and says `s=email:tlsrpt`.",
    "tlsrpt",
  ),
  dkim_key_file: privateKeyFile(
    "The key, PEM: RSA of 1024 bits or more, or Ed25519. Only its owner and group may read it. It is read for each report.",
  ),
});

export const tlsReportOptions = withCheck(declaredOptions, (given, report) => {
  const { from, dkim_domain: signer } = given;
  if (from.domain === signer || from.domain.endsWith(`.${signer}`)) return;
  report("dkim_domain", `cannot sign for ${from.domain}: it is neither this domain nor above it`);
});

export type TlsReportOptions = Values<typeof tlsReportOptions>;
