// Exim from its package, as a host of the world: what is for example.com it sends to the relay, over TLS only; all
// other mail it keeps in one Maildir, byte for byte as it came.

import { execFileSync } from "node:child_process";
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { findUser } from "../../src/base/users.ts";
import { pem } from "../support/certificates.ts";
import { freePort } from "../support/relay-process.ts";
import { startDaemon, textOf, workDirectory } from "./program.ts";

const USER = "Debian-exim";

export interface Exim extends AsyncDisposable {
  readonly port: number;
  /** Everything that was delivered here. */
  messages(): Buffer[];
  log(): string;
}

export async function startExim(relayPort: number): Promise<Exim> {
  const directory = workDirectory("exim");
  const port = await freePort();
  const user = findUser(USER);
  if (user === undefined) throw new Error(`there is no user ${USER}`);
  const own = (path: string) => chownSync(path, user.uid, user.gid);
  for (const name of ["spool", "log", "mail"]) {
    mkdirSync(join(directory, name));
    own(join(directory, name));
  }
  for (const name of ["certificate", "private-key"]) {
    copyFileSync(pem(name), join(directory, `${name}.pem`));
    own(join(directory, `${name}.pem`));
  }
  const file = join(directory, "exim.conf");
  writeFileSync(file, configuration(directory, port, relayPort), { mode: 0o644 });
  execFileSync("/usr/sbin/exim4", ["-C", file, "-bV"], { stdio: "pipe" });
  const daemon = await startDaemon(
    ["/usr/sbin/exim4", "-C", file, "-bdf", "-q1s"],
    port,
    directory,
  );
  const arrived = join(directory, "mail", "new");
  return {
    port,
    messages: () => names(arrived).map((name) => readFileSync(join(arrived, name))),
    log: () =>
      textOf(join(directory, "log", "mainlog")) + textOf(join(directory, "log", "paniclog")),
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // Exim makes it for the first message.
  }
}

function configuration(directory: string, port: number, relayPort: number): string {
  return `
primary_hostname = exim.test
spool_directory = ${directory}/spool
log_file_path = ${directory}/log/%slog
pid_file_path = ${directory}/spool/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${port}
tls_advertise_hosts = *
tls_certificate = ${directory}/certificate.pem
tls_privatekey = ${directory}/private-key.pem
keep_environment =
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = take
acl_smtp_data = take
smtp_accept_queue_per_connection = 0
received_headers_max = 100
message_size_limit = 50M
# What came is what is kept, to the byte.
received_header_text =
return_path_remove = false
envelope_to_remove = false
delivery_date_remove = false
begin acl
take:
  accept
begin routers
relay:
  driver = manualroute
  domains = example.com
  transport = relay
  route_list = * 127.0.0.1
  self = send
here:
  driver = accept
  transport = maildir
begin transports
relay:
  driver = smtp
  port = ${relayPort}
  hosts_require_tls = *
  tls_verify_certificates =
maildir:
  driver = appendfile
  directory = ${directory}/mail
  maildir_format
  use_crlf
  user = ${USER}
begin retry
* * F,1h,1s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_advertise_condition = \${if def:tls_in_cipher}
  server_prompts = :
  server_condition = \${if and{{eq{$auth2}{relay}}{eq{$auth3}{open sesame}}}}
  server_set_id = $auth2
`;
}
