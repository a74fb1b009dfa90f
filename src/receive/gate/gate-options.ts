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
  "A header that only our tenant sets, as `Name: value`. Several may be given, any of which is a proof, so that a secret can be changed without a gap. Each is taken out of the message.",
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
          "A DKIM signature of one of these domains, over the whole message as it came, by the domain of its one author.",
        ),
        "none",
      ),
    ),
  }),
  (proof, report) => {
    if (proof.header?.length === 0) report("header", "is empty: nobody can bring it");
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
      hostList("The clients that the rule is for. The first rule with the client decides."),
    ),
    sender_domains: domainList(
      "The domain of the envelope sender must be in this list; `*` lets any sender pass.",
    ),
    sender_local_parts: optional(
      localPartList("The local part of the envelope sender must be in this list."),
      "any",
    ),
    client_certificates: marked(
      { certificates: "required" },
      optional(
        list(
          'SHA-256 fingerprints of certificates. The rule is for a client of `hosts` only if it shows one of them, under TLS at a listener that asks for it. Such a rule may have any `hosts`, `["0.0.0.0/0", "::/0"]` included.',
          (item) =>
            FINGERPRINT.test(item)
              ? undefined
              : "is no SHA-256 fingerprint: 64 hexadecimal digits, with or without colons",
          { type: "list of fingerprints" },
        ),
        "no certificate is asked for",
      ),
    ),
    rate: optional(
      rate(
        "Recipients that the rule lets through in a time, `5000/1h`; then they are put off. One message to ten counts ten.",
      ),
      "no limit",
    ),
    sender_rate: optional(
      rate(
        "Recipients of one envelope sender that the rule lets through in a time, in the same way; `alice+x@` is `alice@`.",
      ),
      "no limit",
    ),
    require_tls: withDefault(flag("Refuse the client until it speaks TLS."), false),
    proof: optional(
      nested(
        "What shows that the mail comes from our tenant. One of them is enough.",
        proofOptions,
      ),
      "none",
    ),
    null_sender: optional(
      oneOf(
        "Mail with a null sender: accept it, accept it if it has the proof, or refuse it. " +
          "Tests of the sender do not apply to it.",
        ["accept", "proof", "refuse"],
      ),
      "accept where `sender_domains` is `*` (with a proof, if the rule has one), refuse elsewhere",
    ),
  }),
  (rule, report) => {
    if (rule.client_certificates?.length === 0) {
      report("client_certificates", "is empty: nobody can show one of them");
    }
    if (rule.null_sender === "proof" && rule.proof === undefined) {
      report("null_sender", 'is "proof", and the rule has no proof');
    }
  },
);

const authenticationOptions = options({
  policy: withDefault(
    oneOf(
      "Mail for `local_domains` from clients that are hosts of no relay rule: leave it as it is; write down what SPF, DKIM and DMARC say of it in an `Authentication-Results` header, and take out those that others wrote in our name; or refuse besides what fails DMARC where the author's domain asks for `p=reject`.",
      ["off", "tag", "enforce"],
    ),
    "off",
  ),
});

export const gateOptions = options({
  local_domains: marked(
    { grants: "acceptance" },
    domainList(
      "Mail for these domains is accepted from everybody, if a router takes the recipient.",
    ),
  ),
  dnsbl: withDefault(
    list(
      "DNS block lists: `zen.spamhaus.org`, or only some of its answers, `zen.spamhaus.org=127.0.0.2-4,127.0.0.9`. Their clients are refused, but for mail to the postmaster and hosts of a relay rule. A list that does not answer lets everybody in.",
      (item) =>
        parseBlockList(item) === undefined
          ? 'is no block list; "zen.spamhaus.org" or "zen.spamhaus.org=127.0.0.2-11" is'
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
    nested("Who is the author of strangers' mail?", authenticationOptions),
    {},
  ),
  relay: withDefault(
    tables(
      "Rules for mail to other domains. Without a rule there is no relaying.",
      relayRuleOptions,
    ),
    [],
  ),
});

export type GateOptions = Values<typeof gateOptions>;
