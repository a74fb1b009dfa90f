// [gate] and [[gate.relay]]: the domains whose mail is accepted, and the clients that may send mail to other domains.

import { parseBlockList } from "./dnsbl.ts";
import { domainList, hostList, localPartList } from "../../options/list-types.ts";
import {
  flag,
  list,
  nested,
  oneOf,
  optional,
  options,
  rate,
  tables,
  text,
  marked,
} from "../../options/options.ts";
import { withCheck, withDefault } from "../../options/options.ts";
import type { Option, Values } from "../../options/options.ts";

const header = text(
  "A header that only our tenant sets, as `Name: value`, or a list of them. Each one is a proof, so that you can change the secret without a gap. The relay takes them out of the message.",
  {
    test: /^[!-9;-~]+: *[!-~](?:[ -~]*[!-~])?$/,
    is: 'a header like "X-Tenant: secret"',
  },
);

/** One text, or a list of texts. */
const headers: Option<readonly string[]> = {
  type: "list of headers",
  doc: header.doc,
  required: true,
  read(value, path, problems) {
    const items: unknown[] = Array.isArray(value) ? value : [value];
    return items.flatMap((item, index) => {
      const at = Array.isArray(value) ? `${path}[${index}]` : path;
      return header.read(item, at, problems) ?? [];
    });
  },
};

const proofOptions = withCheck(
  options({
    header: optional(headers, "none"),
    dkim: marked(
      { grants: "proof" },
      optional(
        domainList(
          "A DKIM signature of one of these domains, valid for the whole message as it came. The message must have one author, of that domain.",
        ),
        "none",
      ),
    ),
  }),
  (proof, report) => {
    if (proof.header?.length === 0) report("header", "is empty: no message can have it");
    if (proof.header === undefined && proof.dkim === undefined) {
      report("header", "is missing: a proof needs a header, dkim or both");
    }
  },
);

/** As `openssl x509 -fingerprint -sha256` writes it, or without its colons. */
const FINGERPRINT = /^(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}$/i;

const relayRuleOptions = withCheck(
  options({
    hosts: marked(
      { grants: "relay" },
      hostList("The clients of the rule. The first rule whose hosts contain the client decides."),
    ),
    sender_domains: domainList(
      "The domain of the envelope sender must be in this list; `*` allows every sender.",
    ),
    sender_local_parts: optional(
      localPartList(
        "The local part of the envelope sender must be in this list.",
        "sender_domains",
      ),
      "any",
    ),
    client_certificates: marked(
      { certificates: "required" },
      optional(
        list(
          'SHA-256 fingerprints of certificates. The rule applies to a client of `hosts` only if it shows one of these certificates, under TLS at a listener that asks for it. Such a rule may have any `hosts`, even `["0.0.0.0/0", "::/0"]`.',
          (item) =>
            FINGERPRINT.test(item)
              ? undefined
              : "is not a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons",
          { type: "list of fingerprints" },
        ),
        "the client needs no certificate",
      ),
    ),
    rate: optional(
      rate(
        "Recipients that the rule accepts in a time, for example `5000/1h`. Further ones get 450. A message to ten recipients counts ten.",
      ),
      "no limit",
    ),
    sender_rate: optional(
      rate("The same for the recipients of one envelope sender; `alice+x@` counts as `alice@`."),
      "no limit",
    ),
    require_tls: withDefault(flag("Refuse the client until it speaks TLS."), false),
    proof: optional(
      nested(
        "The proofs that mail comes from our tenant. The message needs one of them.",
        proofOptions,
      ),
      "none",
    ),
    null_sender: optional(
      oneOf(
        "Mail with a null sender: accept it, accept it if it has the proof, or refuse it. " +
          "The lists of senders do not apply to it.",
        ["accept", "proof", "refuse"],
      ),
      '"accept" if `sender_domains` is `*` ("proof" if the rule has a proof), else "refuse"',
    ),
  }),
  (rule, report) => {
    if (rule.client_certificates?.length === 0) {
      report("client_certificates", "is empty: no client can show one of them");
    }
    if (rule.null_sender === "proof" && rule.proof === undefined) {
      report("null_sender", 'is "proof", and the rule has no proof');
    }
  },
);

const authenticationOptions = options({
  policy: withDefault(
    oneOf(
      'Mail for `local_domains` from clients that are not hosts of a relay rule. "off": it is not changed. "tag": the relay writes the results of SPF, DKIM and DMARC into an `Authentication-Results` header, and takes out headers that others wrote in its name. "enforce": the relay also refuses mail that fails DMARC if the domain of its author asks for `p=reject`.',
      ["off", "tag", "enforce"],
    ),
    "off",
  ),
});

export const gateOptions = options({
  local_domains: marked(
    { grants: "acceptance" },
    domainList(
      "Mail for these domains is accepted from every client, if a router takes the recipient.",
    ),
  ),
  dnsbl: withDefault(
    list(
      "DNS block lists: `zen.spamhaus.org`, or only some of its answers, `zen.spamhaus.org=127.0.0.2-4,127.0.0.9`. Mail from a listed client is refused, except mail to the postmaster. Hosts of a relay rule are exempt. A list that does not answer refuses no client.",
      (item) =>
        parseBlockList(item) === undefined
          ? 'is not a block list; write "zen.spamhaus.org" or "zen.spamhaus.org=127.0.0.2-11"'
          : undefined,
      { type: "list of block lists" },
    ),
    [],
  ),
  dnsbl_action: withDefault(
    oneOf("Refuse the recipients of a client that is listed, or end its session at the greeting.", [
      "refuse",
      "disconnect",
    ]),
    "refuse",
  ),
  authentication: withDefault(
    nested("Checks of the author of strangers' mail.", authenticationOptions),
    {},
  ),
  relay: withDefault(
    tables(
      "Rules for mail to other domains. Without a rule, the relay accepts no such mail.",
      relayRuleOptions,
    ),
    [],
  ),
});

export type GateOptions = Values<typeof gateOptions>;
