// The users of this machine, as /etc/passwd names them.

import { readFileSync } from "node:fs";

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

function users(): NamedUser[] {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  return lines.flatMap((line) => {
    const [name, , uid, gid] = line.split(":");
    const isWhole = name !== undefined && uid !== undefined && gid !== undefined;
    return isWhole ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}
