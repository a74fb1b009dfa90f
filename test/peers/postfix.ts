// Postfix from its package, as a host of the world: what is for example.com it sends to the relay, over TLS only; all
// other mail it passes on to a sink. It is not installed, because its package and Exim's exclude each other.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pem } from "../support/certificates.ts";
import { freePort } from "../support/relay-process.ts";
import { startDaemon, textOf, workDirectory } from "./program.ts";
import { asInstalled, etcWithUsers, makeOwned, unpack } from "./unpacked.ts";

export interface Postfix extends AsyncDisposable {
  readonly port: number;
  log(): string;
}

export async function startPostfix(relayPort: number, sinkPort: number): Promise<Postfix> {
  const { tree } = unpack("postfix");
  const directory = workDirectory("postfix");
  const port = await freePort();
  const etc = join(directory, "etc");
  etcWithUsers(etc, ["postfix", "postdrop"]);
  makeOwned(directory, ["data", "log"], etc, "postfix");
  mkdirSync(join(directory, "queue"));
  for (const name of ["certificate", "private-key"]) {
    copyFileSync(pem(name), join(directory, `${name}.pem`));
  }
  mkdirSync(join(etc, "postfix"));
  const settings = configuration(directory, relayPort, sinkPort);
  writeFileSync(join(etc, "postfix/main.cf"), settings);
  writeFileSync(join(etc, "postfix/master.cf"), postfixServices(tree, port));
  const command = asInstalled(tree, etc, ["postfix", "start-fg"]);
  // unshare heeds no other signal, and takes all of Postfix with it.
  const daemon = await startDaemon(command, port, directory, "SIGKILL");
  return {
    port,
    log: () => textOf(join(directory, "log", "maillog")),
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

/** Postfix' own table, with our port and without chroot, which would need a copy of the machine's libraries. */
export function postfixServices(tree: string, port: number): string {
  return readFileSync(join(tree, "usr/share/postfix/master.cf.dist"), "utf8")
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.replace(/^smtp +inet .*/, `127.0.0.1:${port} inet n - n - - smtpd`))
    .map((line) => line.replace(/^(\S+ +\S+ +\S+ +\S+ +)y /, "$1n "))
    .join("\n");
}

/** The part of a main.cf that holds for any Postfix in a directory of its own, on this machine. */
export function postfixSettings(directory: string, hostname: string): string {
  return `
compatibility_level = 3.6
myhostname = ${hostname}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
queue_directory = ${directory}/queue
data_directory = ${directory}/data
maillog_file = ${directory}/log/maillog
maillog_file_prefixes = ${directory}
alias_maps =
alias_database =
# No look-ups on 127.0.0.1: there is nobody to answer.
smtpd_peername_lookup = no
disable_dns_lookups = yes
# The default makes a client wait a second when mail comes in faster than it goes out.
in_flow_delay = 0
`;
}

function configuration(directory: string, relayPort: number, sinkPort: number): string {
  return `${postfixSettings(directory, "postfix.test")}
transport_maps = inline:{example.com=smtp:[127.0.0.1]:${relayPort}}
default_transport = smtp:[127.0.0.1]:${sinkPort}
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtpd_tls_chain_files = ${directory}/private-key.pem, ${directory}/certificate.pem
smtp_tls_loglevel = 1
smtp_tls_policy_maps = inline:{[127.0.0.1]:${relayPort}=encrypt}
# What came is what goes on, to the byte.
message_drop_headers =
disable_mime_output_conversion = yes
smtp_line_length_limit = 0
local_header_rewrite_clients =
message_size_limit = 0
`;
}
