// The files that relayctl init writes for reading: routers.toml and the accounts of a domain. Both have a comment for
// each thing that the postmaster may want to change. etc/short.toml is the same configuration with fewer words.

import { join } from "node:path";
import type { Answers } from "./answers.ts";

/** Paths in the directory of routers.toml. */
export const CERTIFICATE = "tls/fullchain.pem";
export const PRIVATE_KEY = "tls/key.pem";
export const ACCOUNTS = "accounts";

/** The header that Google adds to our mail; its value is the secret. */
export const PROOF_HEADER = "X-Unseen-Tenant";

export interface RoutersFile extends Answers {
  /** Absolute paths without control characters and braces. */
  readonly spool: string;
  readonly mail: string;
  readonly user: string;
  readonly secret: string;
}

export function accountsFileOf(domain: string): string {
  return `${ACCOUNTS}/${domain}`;
}

export function routersFile(file: RoutersFile): string {
  return [
    relaySection(file),
    accountsSection(file),
    gateSection(file),
    routersSection(),
    transportsSection(file),
    failOverSection(file),
  ].join("\n\n");
}

function anyAddress({ addresses }: RoutersFile): string {
  return addresses.some((address) => address.includes(":")) ? "[::]" : "0.0.0.0";
}

function relaySection(file: RoutersFile): string {
  const { domains, hostname, spool, user } = file;
  const listen = `${anyAddress(file)}:25`;
  return `# The relay before and behind the Google Workspace of ${domains.join(", ")}.
#
# After a change: "relayctl check", then "relayctl reload". Paths start at the directory of this file.
# docs/config.md explains every option; etc/routers.toml shows each of them with its default.
# The secret below lets its holder send mail through this relay: only root and the relay may read this file.


# ---- the relay itself ----

[relay]
# The name in the banner, in EHLO and in Received. It needs an address record, and a PTR record that leads back.
hostname = "${hostname}"
# Messages wait here until they are delivered. It must be on a disk of this machine, not on NFS.
spool_directory = ${tomlText(spool)}
# The relay starts as root, binds port 25, and becomes this user.
user = "${user}"
# The daily list of mail that was not delivered, and whose sender was not told, goes to this address.
postmaster = "postmaster@${domains[0]}"

[[listeners]]
address = "${listen}"
tls = "starttls"
# The relay reads both files again when they change.
certificate = "${CERTIFICATE}"
private_key = "${PRIVATE_KEY}"
`;
}

function accountsSection({ domains }: RoutersFile): string {
  return `# ---- the accounts ----

# You write the files in accounts/ yourself. With this table the relay writes them, from Google's directory:
# docs/accounts.md says what to set at Google.
# [accounts]
# key_file = "google-service-account.json"
# domains = ${listOf(domains)}
# file = "${accountsFileOf("{domain}")}"
`;
}

function gateSection({ domains, secret }: RoutersFile): string {
  return `# ---- the gate: which mail is accepted ----

[domains]
ours = ${listOf(domains)}

# All addresses in the SPF record of Google. The relay asks for it again by itself.
[hosts]
google_relays = ["spf:_spf.google.com"]

# Mail for these domains is accepted from every client, if a router below takes the recipient.
[gate]
local_domains = "+ours"

# Google does not check SPF and DMARC of mail that comes by its inbound gateway. "tag" writes the results into a header;
# "enforce" also refuses mail that fails DMARC under p=reject.
# [gate.authentication]
# policy = "tag"

# Mail for other domains is accepted only by this rule. Google sends the mail of all its customers from the same
# addresses, so the header must prove that a message is yours. The relay takes the header out again.
# To change the secret, write the new one beside the old one, change it at Google, and remove the old one a day later.
[[gate.relay]]
hosts = "+google_relays"
sender_domains = "+ours"
require_tls = true
proof = { header = ["${PROOF_HEADER}: ${secret}"] }
# Automatic replies have a null sender: they need the proof too.
null_sender = "proof"
`;
}

function routersSection(): string {
  const accounts = `lsearch:${accountsFileOf("{domain}")}`;
  return `# ---- routers: what happens to a recipient, in this order ----
#
# The accounts of each domain are in a file of its own, which has the name of the domain.

# Mail of your users: a copy for the sender. Only mail that came by the rule above is copied.
[[routers]]
name = "gmail_outgoing"
driver = "sender-match"
sender_domains = "+ours"
sender_local_parts = "${accounts}"
transport = "store_outgoing_copy"

# The same for a sender that is not in the file of accounts yet, so that no mail leaves without a copy.
[[routers]]
name = "unlisted_outgoing"
driver = "sender-match"
sender_domains = "+ours"
sender_local_parts = ["!${accounts}"]
transport = "store_unlisted_copy"

# Mail to your users: a copy for the recipient.
[[routers]]
name = "gmail_users"
driver = "unseen-copy"
domains = "+ours"
local_parts = "${accounts}"
transport = "gmail_local_delivery"

# The mail itself goes on to Google, while the client waits: if Google refuses it, the client hears that at once.
[[routers]]
name = "gmail_remote"
driver = "accept"
domains = "+ours"
local_parts = "${accounts}"
transport = "gmail"
cutthrough = true

# Mail for all other domains goes to their hosts.
[[routers]]
name = "world"
driver = "dnslookup"
domains = ["!+ours"]
transport = "remote_smtp"
`;
}

function transportsSection({ mail }: RoutersFile): string {
  return `# ---- transports: how mail is delivered ----

[transports.gmail]
driver = "smtp"
hosts = [
  "aspmx.l.google.com",
  "alt1.aspmx.l.google.com",
  "alt2.aspmx.l.google.com",
  "alt3.aspmx.l.google.com",
  "alt4.aspmx.l.google.com",
]
tls = "verify"

[transports.remote_smtp]
driver = "smtp"
${copies(mail)}`;
}

/** The three transports for copies, alike but for their directory. */
function copies(mail: string): string {
  const kinds = [
    ["What a user received.", "gmail_local_delivery", "{domain}/{local_part}"],
    ["What a user sent.", "store_outgoing_copy", "{sender_domain}/{sender_local_part}/.Sent"],
    ["What an unlisted sender sent.", "store_unlisted_copy", "{sender_domain}/_unlisted/.Sent"],
  ] as const;
  return kinds
    .map(
      ([comment, name, path]) => `
# ${comment}
[transports.${name}]
driver = "maildir-append"
directory = ${tomlText(join(mail, path))}
delivery_date_add = true
envelope_to_add = true
return_path_add = true
maildir_tag = ",S={size}"
`,
    )
    .join("");
}

function failOverSection(file: RoutersFile): string {
  return `# ---- the day Google is gone: docs/failover.md ----

# "relayctl failover on" lets mail by these transports wait, without bounces, however long.
[failover]
transports = ["gmail"]

# On that day people send by this relay. Take the "# " away, open the port, and start the relay again. Nobody can log in
# before "relayctl users" has given passwords. "relayctl failover drill" shows whether all of it works.
# [[listeners]]
# address = "${anyAddress(file)}:465"
# protocol = "submission"
# tls = "implicit"
# certificate = "${CERTIFICATE}"
# private_key = "${PRIVATE_KEY}"
`;
}

function listOf(domains: readonly string[]): string {
  return `[${domains.map(tomlText).join(", ")}]`;
}

/** Without control characters, a text of JSON is one of TOML too. */
function tomlText(text: string): string {
  return JSON.stringify(text);
}

export function accountsFile(domain: string): string {
  return `# The accounts of ${domain}: one a line, users and groups, without the domain.
# Mail to a name that is not in this file is refused (550 5.1.1), so list every user, group and alias.
# The relay reads the file again when it changes. Write a new file beside it, and rename it.
#
#   alice
#   bob.smith: bob        an alias: its mail goes into the Maildir of bob
#
# Google keeps these two for every domain.
postmaster
abuse
`;
}
