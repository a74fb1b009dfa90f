// Becoming an ordinary user: the relay, once the privileged ports are bound; relayctl, before it writes to a spool.
// What root has created in the spool before goes to the relay's user, so that a relay which ran as root for a day can
// be given a user later.

import { chownSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeMissing, syncDirectoryNow } from "./spool/directory.ts";

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Undefined when there is no such user in /etc/passwd. */
export function findUser(name: string): Account | undefined {
  for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
    const [user, , uid, gid] = line.split(":");
    if (user === name && uid !== undefined && gid !== undefined) {
      return { uid: Number(uid), gid: Number(gid) };
    }
  }
  return undefined;
}

/** Does nothing unless the process is root. Throws when there is no such user. */
export function dropRoot(user: string, spoolDirectory: string): void {
  if (process.getuid?.() !== 0) return;
  const account = findUser(user);
  if (account === undefined) throw new Error(`there is no user "${user}" in /etc/passwd`);
  for (const made of makeMissing(spoolDirectory)) syncDirectoryNow(dirname(made));
  chownSync(spoolDirectory, account.uid, account.gid);
  for (const name of readdirSync(spoolDirectory, { recursive: true, encoding: "utf8" })) {
    chownSync(join(spoolDirectory, name), account.uid, account.gid);
  }
  become(account);
}

/** What root does to a spool by hand leaves nothing in it that its relay could not write to. */
export function becomeOwnerOf(path: string): void {
  if (process.getuid?.() === 0) become(statSync(path));
}

function become({ uid, gid }: Account): void {
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
