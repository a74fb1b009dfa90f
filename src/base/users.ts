// The users of this machine, as /etc/passwd names them, and the change from root to one of them.

import { readFileSync, statSync } from "node:fs";

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

interface NamedUser extends SystemUser {
  readonly name: string;
}

/** Undefined when /etc/passwd has no user of that name. */
export function findUser(wanted: string): SystemUser | undefined {
  return users().find(({ name }) => name === wanted);
}

/** Undefined when /etc/passwd has no user with that uid. */
export function findUserOf(wanted: number): SystemUser | undefined {
  return users().find(({ uid }) => uid === wanted);
}

/** The user's name, or the number when /etc/passwd has no name for it. */
export function userName(wanted: number): string {
  return users().find(({ uid }) => uid === wanted)?.name ?? String(wanted);
}

/** The names of all users that have the group, as their own or as a further one. */
export function membersOfGroup(gid: number): string[] {
  const own = users().filter((user) => user.gid === gid);
  const further = lines("/etc/group").flatMap(([, , id, members = ""]) =>
    Number(id) === gid ? members.split(",").filter(Boolean) : [],
  );
  return [...new Set([...own.map(({ name }) => name), ...further])];
}

/**
 * When root changes a spool with relayctl, the process becomes the user who owns the spool. If root owns the spool, it
 * becomes the configured user of the relay, if any. So relayctl leaves no file that the relay cannot write to.
 */
export function becomeOwnerOf(path: string, user?: string): void {
  if (process.getuid?.() !== 0) return;
  const owner = statSync(path, { throwIfNoEntry: false });
  if (owner === undefined) return;
  const given = owner.uid === 0 && user !== undefined ? findUser(user) : undefined;
  become(given ?? findUserOf(owner.uid) ?? owner);
}

export function become({ uid, gid }: SystemUser): void {
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

function users(): NamedUser[] {
  return lines("/etc/passwd").flatMap(([name, , uid, gid]) => {
    const isWhole = name !== undefined && uid !== undefined && gid !== undefined;
    return isWhole ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}

/** The lines of a file, each with the fields between its colons. */
function lines(file: string): string[][] {
  return readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.split(":"));
}
