// A directory of the relay's user, for commands that root may run.

import { chownSync } from "node:fs";
import { dirname } from "node:path";
import { becomeOwnerOf, findUser } from "../users.ts";
import { makeMissing, syncDirectoryNow } from "./directory.ts";

/**
 * Creates the directory if it is missing, for `user` if root runs the command. Then root becomes the owner, so the files
 * that the command writes there belong to the owner.
 */
export function ownDirectory(directory: string, user: string | undefined): void {
  makeDirectoryFor(directory, user);
  becomeOwnerOf(directory, user);
}

/** Creates the directory if it is missing. If root runs the command, it belongs to `user`. */
export function makeDirectoryFor(directory: string, user: string | undefined): void {
  const isRoot = process.getuid?.() === 0;
  const owner = isRoot && user !== undefined ? findUser(user) : undefined;
  for (const made of makeMissing(directory)) {
    if (owner !== undefined) chownSync(made, owner.uid, owner.gid);
    syncDirectoryNow(dirname(made));
  }
}
