// What comes after relayctl init, in the order in which no mail is lost: the records of the DNS, the commands on this
// machine, and the settings at Google. The secret stands in none of these texts, so they may be printed, kept and sent.

import { isIPv4 } from "node:net";
import { parseAddress } from "../../base/cidr.ts";
import type { Answers } from "./answers.ts";
import { accountsFileOf, PROOF_HEADER } from "./routers-file.ts";

interface DnsRecord {
  readonly name: string;
  readonly type: "A" | "AAAA" | "PTR" | "TXT" | "MX";
  readonly value: string;
}

export interface Step {
  /** What to do, in one or two sentences. */
  readonly action: string;
  readonly reason: string;
  readonly records?: readonly DnsRecord[];
  /** Commands to run, or paths through the Admin console. */
  readonly lines?: readonly string[];
}

export interface StepsOf extends Answers {
  /** The directory of routers.toml, as an absolute path. */
  readonly directory: string;
  /** The certificate is the self-signed one. */
  readonly isSelfSigned: boolean;
}

export function stepsOf(made: StepsOf): readonly Step[] {
  return [
    ...namesOf(made),
    ...senderRecords(made),
    ...onThisMachine(made),
    ...atGoogle(made),
    ...lastSteps(made),
  ];
}

function namesOf({ hostname, addresses }: StepsOf): Step[] {
  return [
    {
      action: "DNS: give the relay its name.",
      reason: "Other hosts and Google look for the relay by this name.",
      records: addresses.map((address) => ({
        name: `${hostname}.`,
        type: isIPv4(address) ? "A" : "AAAA",
        value: address,
      })),
    },
    {
      action: "DNS: let the address lead back to the name. Your provider sets this record.",
      reason:
        "Many hosts, Google's too, refuse mail from an address whose PTR record is missing or differs.",
      records: addresses.map((address) => ({
        name: reverseNameOf(address),
        type: "PTR",
        value: `${hostname}.`,
      })),
    },
  ];
}

function senderRecords({ hostname, domains, addresses }: StepsOf): Step[] {
  const mechanisms = addresses.map((one) => `${isIPv4(one) ? "ip4" : "ip6"}:${one}`).join(" ");
  return [
    {
      action: "DNS: SPF for the name of the relay.",
      reason: "A bounce has no sender, so its receiver checks the name that the relay gives.",
      records: [{ name: `${hostname}.`, type: "TXT", value: `"v=spf1 ${mechanisms} -all"` }],
    },
    {
      action: `DNS: SPF for ${listed(domains)}. A name has one SPF record: if there is one, only add ${mechanisms} to it.`,
      reason: "Mail of your users will come from the relay. The record is harmless until then.",
      records: domains.map((domain) => ({
        name: `${domain}.`,
        type: "TXT",
        value: `"v=spf1 include:_spf.google.com ${mechanisms} ~all"`,
      })),
    },
    {
      action: "DNS: DMARC, if the domain has no such record yet.",
      reason:
        "Many hosts want one. With p=none nothing is refused, and the reports show who sends in your name.",
      records: domains.map((domain) => ({
        name: `_dmarc.${domain}.`,
        type: "TXT",
        value: `"v=DMARC1; p=none; rua=mailto:postmaster@${domain}"`,
      })),
    },
  ];
}

function onThisMachine({ directory, domains, isSelfSigned }: StepsOf): Step[] {
  const config =
    directory === "/etc/unseen" ? "" : ` --config ${quoted(`${directory}/routers.toml`)}`;
  const certificate: Step = {
    action: `Replace the self-signed certificate in ${directory}/tls by a public one in the name of the relay.`,
    reason:
      'Until then other hosts encrypt mail to the relay, but cannot know that it is the relay. MTA-STS and "require a CA-signed certificate" at Google need a public one.',
  };
  return [
    {
      action:
        "List every user, group and alias, one a line. Or let the relay read them from Google's directory: docs/accounts.md.",
      reason: "The relay refuses mail to a name that is not listed (550 5.1.1).",
      lines: domains.map((domain) => `${directory}/${accountsFileOf(domain)}`),
    },
    {
      action: "Check the configuration, start the relay, and let the doctor look.",
      reason:
        "The first command prints every mistake, the second what would become of a message. etc/unseen.service keeps the relay running. The doctor also looks at the DNS: until the MX is changed, it says so.",
      lines: [
        `relayctl check${config}`,
        `relayctl check${config} postmaster@${domains[0]}`,
        `relayctl serve${config}`,
        `relayctl doctor${config}`,
      ],
    },
    ...(isSelfSigned ? [certificate] : []),
  ];
}

const GMAIL = "Apps > Google Workspace > Gmail";
const INBOUND_GATEWAY = `${GMAIL} > Spam, Phishing and Malware > Inbound gateway`;
const HEADER_LINE = `Add custom headers: ${PROOF_HEADER}`;

function atGoogle({ directory, hostname, addresses, isSelfSigned }: StepsOf): Step[] {
  return [
    {
      action: `Google: name ${listed(addresses)} as inbound gateway, and the address of a backup MX if you have one.`,
      reason:
        "Otherwise Google takes the relay for the sender of all mail: SPF and DMARC fail, and mail bounces with 550 5.7.26.",
      lines: [
        INBOUND_GATEWAY,
        "Automatically detect external IP: on",
        "Require TLS: on",
        "Reject all mail not from gateway IPs: off",
      ],
    },
    {
      action: "Google: make a mail route to the relay.",
      reason: "The next step needs it.",
      lines: [
        `${GMAIL} > Hosts > Add route`,
        `Host: ${hostname}, port 25`,
        `Require TLS: on; require CA-signed certificate: ${isSelfSigned ? "off until the certificate is public" : "on"}`,
      ],
    },
    {
      action:
        "Google: for an organizational unit of a few people, send outbound mail with the secret header by this route.",
      reason: `All customers of Google send from the same addresses; only the header proves that mail is yours. The value is in ${directory}/routers.toml. The rule can take 24 hours. A few people build the reputation of the new address, and find mistakes before all users do.`,
      lines: [
        `${GMAIL} > Routing > (the unit) > Add another rule`,
        "Affects: Outbound",
        HEADER_LINE,
        "Change route: the new route",
      ],
    },
  ];
}

function lastSteps({ hostname, domains }: StepsOf): Step[] {
  return [
    {
      action: "DNS: lower the TTL of the MX record, and a day later name the relay as the only MX.",
      reason: `All mail from outside now passes through the relay. If the domain has an MTA-STS policy, first add "mx: ${hostname}" to it and wait for its max_age.`,
      records: domains.map((domain) => ({
        name: `${domain}.`,
        type: "MX",
        value: `10 ${hostname}.`,
      })),
    },
    {
      action:
        "Google: for all users, first add the header by a rule of the top unit, and a day later name the relay as outbound gateway.",
      reason:
        "The relay refuses mail without the header, so the header comes first. After that, remove the rule of the few people.",
      lines: [
        `${GMAIL} > Routing > (the top unit) > Add another rule > Outbound`,
        HEADER_LINE,
        `${GMAIL} > Routing > Outbound gateway: ${hostname}`,
      ],
    },
    {
      action: 'Google: after a quiet week, turn "Reject all mail not from gateway IPs" on.',
      reason:
        "Then no mail can go around the relay. It is the last step, because Google refuses all mail (421 4.7.0 IP not in whitelist) if an address of the relay is missing in its list.",
      lines: [INBOUND_GATEWAY],
    },
  ];
}

/** "25.2.0.192.in-addr.arpa.", or the nibbles of an IPv6 address below ip6.arpa. */
function reverseNameOf(address: string): string {
  if (isIPv4(address)) return `${address.split(".").toReversed().join(".")}.in-addr.arpa.`;
  const value = BigInt(parseAddress(address)?.value ?? 0);
  const nibbles = value.toString(16).padStart(32, "0").split("");
  return `${nibbles.toReversed().join(".")}.ip6.arpa.`;
}

/** The text as one word of a shell. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
