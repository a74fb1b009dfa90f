// Dovecot from its package, as the server of somebody else: IMAP and POP3 without TLS, for any user with the password
// "secret".

import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findUser } from "../../src/base/users.ts";
import { freePort } from "../support/relay-process.ts";
import { startDaemon, workDirectory } from "./program.ts";

export interface DovecotMailboxes extends AsyncDisposable {
  readonly imap: number;
  readonly pop3: number;
}

/** The messages, with LF line ends, are in the inbox of `user`. */
export async function startDovecotMailboxes(
  user: string,
  messages: readonly Buffer[],
): Promise<DovecotMailboxes> {
  const directory = workDirectory("mailboxes");
  const nobody = findUser("nobody");
  if (nobody === undefined) throw new Error("there is no user nobody");
  for (const part of ["", user, `${user}/new`, `${user}/cur`, `${user}/tmp`]) {
    const path = join(directory, "mail", part);
    mkdirSync(path);
    chownSync(path, nobody.uid, nobody.gid);
  }
  for (const [at, message] of messages.entries()) {
    const file = join(directory, "mail", user, "new", `${1_700_000_000 + at}.M1.host`);
    writeFileSync(file, message);
    chownSync(file, nobody.uid, nobody.gid);
  }
  const [imap, pop3] = [await freePort(), await freePort()];
  const file = join(directory, "dovecot.conf");
  writeFileSync(file, configuration(directory, imap, pop3));
  const daemon = await startDaemon(["dovecot", "-F", "-c", file], pop3, directory);
  return { imap, pop3, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
}

function configuration(directory: string, imap: number, pop3: number): string {
  return `
protocols = imap pop3
listen = 127.0.0.1
base_dir = ${directory}/run
state_dir = ${directory}/state
log_path = ${directory}/log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:${directory}/mail/%n
first_valid_uid = 100
service imap-login {
  inet_listener imap {
    port = ${imap}
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  inet_listener pop3 {
    port = ${pop3}
  }
  inet_listener pop3s {
    port = 0
  }
}
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${directory}/mail/%n
}
`;
}
