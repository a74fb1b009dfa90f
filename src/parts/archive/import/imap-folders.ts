// The folders of a mailbox on another server: in which order they are read, and where their messages lie in the archive.
//
// A message that lies in several folders is taken from the first: Sent, the inbox, the user's own, Spam, Trash, Drafts, and
// at last those that show the messages of others (All, Flagged, Important).

import type { ListResponse } from "imapflow";

export interface ImapFolder {
  readonly path: string;
  /** The folder of the archive. */
  readonly folder: string;
}

const SPECIAL: Readonly<Record<string, string>> = {
  "\\Sent": "Sent",
  "\\Inbox": "INBOX",
  "\\Junk": "Spam",
  "\\Trash": "Trash",
  "\\Drafts": "Drafts",
  "\\All": "INBOX",
  "\\Flagged": "INBOX",
  "\\Important": "INBOX",
};
const OWN = "own";
const ORDER = [
  "\\Sent",
  "\\Inbox",
  OWN,
  "\\Junk",
  "\\Trash",
  "\\Drafts",
  "\\All",
  "\\Flagged",
  "\\Important",
];

type Listed = Pick<ListResponse, "path" | "delimiter" | "flags" | "specialUse">;

/** In the order in which they are read. `prefix` is that of the personal namespace: "INBOX.". */
export function orderedFolders(listed: readonly Listed[], prefix: string): ImapFolder[] {
  const isReadable = ({ flags }: Listed): boolean =>
    !flags.has("\\Noselect") && !flags.has("\\NonExistent");
  return listed
    .filter(isReadable)
    .map((one) => ({
      rank: ORDER.indexOf(useOf(one)),
      path: one.path,
      folder: folderFor(one, prefix),
    }))
    .toSorted((one, other) => one.rank - other.rank || (one.path < other.path ? -1 : 1))
    .map(({ path, folder }) => ({ path, folder }));
}

function useOf({ path, specialUse }: Listed): string {
  if (path.toUpperCase() === "INBOX") return "\\Inbox";
  return specialUse !== undefined && ORDER.includes(specialUse) ? specialUse : OWN;
}

function folderFor(listed: Listed, prefix: string): string {
  const special = SPECIAL[useOf(listed)];
  if (special !== undefined) return special;
  const { delimiter, path } = listed;
  const own = prefix !== "" && path.startsWith(prefix) ? path.slice(prefix.length) : path;
  return delimiter === "" ? own : own.split(delimiter).join("/");
}
