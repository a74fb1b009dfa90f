// Dovecot from its package, as a server of mailboxes that takes mail by LMTP: on a Unix socket and at a port. It keeps
// what comes byte for byte, under a Return-Path.

import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findUser } from "../../src/base/users.ts";
import { freePort } from "../support/relay-process.ts";
import { startDaemon, textOf, workDirectory } from "./program.ts";

export interface DovecotLmtp extends AsyncDisposable {
  readonly port: number;
  readonly socket: string;
  /** What is in the mailbox of this user of example.com, with CRLF and without the Return-Path. */
  messages(user: string): Buffer[];
  log(): string;
}

/** alice and bob have mailboxes; that of full takes next to nothing; broken's cannot be opened; nobody else is there. */
const USERS = `
alice@example.com:::::::
bob@example.com:::::::
full@example.com:::::::userdb_quota_rule=*:bytes=100
broken@example.com:::::::userdb_mail=maildir:/proc/1/mail
`;

export async function startDovecotLmtp(): Promise<DovecotLmtp> {
  const directory = workDirectory("lmtp");
  const port = await freePort();
  const nobody = findUser("nobody");
  if (nobody === undefined) throw new Error("there is no user nobody");
  mkdirSync(join(directory, "mail"));
  chownSync(join(directory, "mail"), nobody.uid, nobody.gid);
  writeFileSync(join(directory, "users"), USERS.trimStart());
  const file = join(directory, "dovecot.conf");
  writeFileSync(file, configuration(directory, port));
  const daemon = await startDaemon(["dovecot", "-F", "-c", file], port, directory);
  return {
    port,
    socket: join(directory, "run", "lmtp"),
    messages(user) {
      const mailbox = join(directory, "mail", user, "new");
      return readdirSync(mailbox).map((name) => received(readFileSync(join(mailbox, name))));
    },
    log: () => textOf(join(directory, "log")),
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

function received(file: Buffer): Buffer {
  const text = file.toString("latin1").replace(/^Return-Path: .*\n/, "");
  return Buffer.from(text.replaceAll("\n", "\r\n"), "latin1");
}

function configuration(directory: string, port: number): string {
  return `
protocols = lmtp
listen = 127.0.0.1
base_dir = ${directory}/run
state_dir = ${directory}/state
log_path = ${directory}/log
ssl = no
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${port}
  }
  unix_listener lmtp {
    mode = 0666
  }
}
lmtp_add_received_header = no
lmtp_hdr_delivery_address = none
quota_full_tempfail = no
mail_location = maildir:${directory}/mail/%n
mail_plugins = quota
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=1G
}
first_valid_uid = 100
passdb {
  driver = passwd-file
  args = username_format=%u ${directory}/users
}
userdb {
  driver = passwd-file
  args = username_format=%u ${directory}/users
  default_fields = uid=nobody gid=nogroup home=${directory}/mail/%n
}
`;
}
