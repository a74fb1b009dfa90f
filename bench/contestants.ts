// The same work for three relays: accept a message for alice@bench.test durably, put a copy into her Maildir and
// pass the message on to a sink. Each relay keeps the durability of its defaults. If another default of Exim or
// Postfix would only make it slower here, a faster value is set, and the line says why.

import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

import { accountRouters, RECEIVED_COPIES } from "../test/support/build.ts";
import { postfixServices, postfixSettings } from "../test/peers/postfix.ts";
import { asInstalled, etcWithUsers, makeOwned, unpack } from "../test/peers/unpacked.ts";

export interface Place {
  /** An empty directory of this run, on a disk. */
  readonly directory: string;
  readonly port: number;
  readonly sinkPort: number;
}

export interface Prepared {
  readonly argv: readonly string[];
  /** The directory of the copies. */
  readonly copies: string;
  isQueueEmpty(): Promise<boolean> | boolean;
}

export interface Contestant {
  readonly name: string;
  readonly version: string;
  prepare(place: Place): Prepared;
}

export const SENDER = "sender@elsewhere.test";
export const RECIPIENT = "alice@bench.test";
const HOSTNAME = "mx.bench.test";
const OWN_CHECKOUT = path.join(import.meta.dirname, "..");

function write(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(directory, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }
}

function holdsNoFile(directory: string): boolean {
  if (!fs.existsSync(directory)) return true;
  return fs
    .readdirSync(directory, { withFileTypes: true, recursive: true })
    .every((entry) => !entry.isFile());
}

// ---- unseen ----

export function unseen(): Contestant {
  return ofCheckout("unseen", OWN_CHECKOUT);
}

/** Another version of unseen, in a checkout of its own in which `npm ci` has run. */
export function before(checkout: string): Contestant {
  return ofCheckout("before", path.resolve(checkout));
}

function ofCheckout(name: string, checkout: string): Contestant {
  const main = path.join(checkout, "src", "main.ts");
  if (!fs.existsSync(main)) throw new Error(`${checkout} is no checkout of unseen`);
  return {
    name,
    version: `node ${process.version}`,
    prepare: (place) => prepareUnseen(main, place),
  };
}

function prepareUnseen(main: string, { directory, port, sinkPort }: Place): Prepared {
  const config = path.join(directory, "routers.toml");
  write(directory, {
    accounts: "alice\n",
    "routers.toml": `
[relay]
hostname = "${HOSTNAME}"
spool_directory = "spool"
[[listeners]]
address = "127.0.0.1:${port}"
tls = "none"
[domains]
ours = ["bench.test"]
[gate]
local_domains = "+ours"
${accountRouters("accounts")}[transports.gmail]
driver = "smtp"
hosts = ["127.0.0.1:${sinkPort}"]
tls = "none"
${RECEIVED_COPIES}`,
  });
  const queueList = [main, "queue", "list", "--json", "--config", config];
  return {
    // The start is the same as in etc/unseen.service.
    argv: [
      "env",
      "MALLOC_TRIM_THRESHOLD_=131072",
      process.execPath,
      main,
      "serve",
      "--config",
      config,
    ],
    copies: path.join(directory, "mail/bench.test/alice/new"),
    async isQueueEmpty() {
      const { stdout } = await promisify(execFile)(process.execPath, queueList);
      return stdout.trim() === "";
    },
  };
}

// ---- Exim ----

export function exim(): Contestant {
  const { tree, version } = unpack("exim4-daemon-light");
  return {
    name: "exim",
    version,
    prepare(place) {
      const { directory } = place;
      const etc = path.join(directory, "etc");
      etcWithUsers(etc, ["Debian-exim"]);
      makeOwned(directory, ["spool", "log", "mail"], etc, "Debian-exim");
      write(directory, { accounts: "alice:\n", "etc/exim4/exim4.conf": eximConfiguration(place) });
      return {
        argv: asInstalled(tree, etc, ["exim4", "-bdf", "-q20s"]),
        copies: path.join(directory, "mail/bench.test/alice/new"),
        isQueueEmpty: () => holdsNoFile(path.join(directory, "spool/input")),
      };
    },
  };
}

function eximConfiguration({ directory, port, sinkPort }: Place): string {
  return `
primary_hostname = ${HOSTNAME}
spool_directory = ${directory}/spool
log_file_path = ${directory}/log/%slog
pid_file_path = ${directory}/spool/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${port}
tls_advertise_hosts =
keep_environment =
domainlist ours = bench.test
acl_smtp_rcpt = check_rcpt
# No look-ups on 127.0.0.1: there is nobody to answer.
host_lookup =
rfc1413_hosts =
# The default takes 20 sessions, and leaves the 11th message of a session to the queue runner.
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 1000000
begin acl
check_rcpt:
  accept domains = +ours
         verify = recipient
  deny
begin routers
gmail_users:
  driver = accept
  domains = +ours
  local_parts = lsearch,ret=key;${directory}/accounts
  transport = gmail_local_delivery
  unseen
gmail_remote:
  driver = manualroute
  domains = +ours
  local_parts = lsearch,ret=key;${directory}/accounts
  transport = gmail
  route_list = * 127.0.0.1
  self = send
begin transports
gmail_local_delivery:
  driver = appendfile
  user = Debian-exim
  directory = ${directory}/mail/$domain_data/$local_part_data
  maildir_format
  delivery_date_add
  envelope_to_add
  return_path_add
  maildir_tag = ,S=$message_size
gmail:
  driver = smtp
  port = ${sinkPort}
  allow_localhost
# The default lets everything for the sink wait for a quarter of an hour when one connection fails.
begin retry
* * F,2h,10s
`;
}

// ---- Postfix ----

export function postfix(): Contestant {
  const { tree, version } = unpack("postfix");
  return {
    name: "postfix",
    version,
    prepare(place) {
      const { directory } = place;
      const etc = path.join(directory, "etc");
      etcWithUsers(etc, ["postfix", "postdrop"]);
      makeOwned(directory, ["data", "log", "mail"], etc, "postfix");
      fs.mkdirSync(path.join(directory, "queue"));
      write(directory, {
        accounts: `${RECIPIENT} x\n`,
        copies: `${RECIPIENT} alice@copies.test\n`,
        mailboxes: "alice@copies.test alice/\n",
        "etc/postfix/main.cf": postfixConfiguration(place),
        "etc/postfix/master.cf": postfixServices(tree, place.port),
      });
      const queues = ["maildrop", "incoming", "active", "deferred"];
      return {
        argv: asInstalled(tree, etc, ["postfix", "start-fg"]),
        copies: path.join(directory, "mail/alice/new"),
        isQueueEmpty: () =>
          queues.every((queue) => holdsNoFile(path.join(directory, "queue", queue))),
      };
    },
  };
}

function postfixConfiguration({ directory, sinkPort }: Place): string {
  return `${postfixSettings(directory, HOSTNAME)}
relay_domains = bench.test
relay_recipient_maps = texthash:${directory}/accounts
recipient_bcc_maps = texthash:${directory}/copies
transport_maps = inline:{bench.test=relay:[127.0.0.1]:${sinkPort}}
virtual_mailbox_domains = copies.test
virtual_mailbox_maps = texthash:${directory}/mailboxes
virtual_mailbox_base = ${directory}/mail
virtual_uid_maps = static:${fs.statSync(path.join(directory, "mail")).uid}
virtual_gid_maps = static:${fs.statSync(path.join(directory, "mail")).gid}
`;
}
