// The address of a mailbox on another server: imaps://USER@HOST[:PORT][/FOLDER].

import { CommandError, EXIT } from "../../../contract/exit.ts";

export interface ImapAddress {
  /** Without the folder: for people, and to tell mailboxes apart. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Absent: all folders. */
  readonly folder: string | undefined;
}

const PORT = 993;
const FORM = "imaps://USER@HOST or imaps://USER@HOST/FOLDER";

export function isImapAddress(path: string): boolean {
  return /^imaps?:\/\//i.test(path);
}

/** Throws CommandError (64). */
export function parseImapAddress(text: string): ImapAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const user = decoded(url?.username);
  const folder = decoded(url?.pathname.slice(1));
  // The text is not shown: it may hold a password.
  if (url !== undefined && url.password !== "") {
    throw usage(
      "a password does not belong into the address: it is asked for, or read from the first line of standard input",
    );
  }
  if (url?.protocol === "imap:")
    throw usage("imap:// would send the password in the clear: use imaps://");
  const isWhole = url !== undefined && url.hostname !== "" && user !== undefined && user !== "";
  if (!isWhole || folder === undefined || url.search !== "" || url.hash !== "") {
    throw usage(`an IMAP address is ${FORM}`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? PORT : Number(url.port);
  const name = `imaps://${user}@${url.host}`;
  return { name, host, port, user, folder: folder === "" ? undefined : folder };
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function usage(what: string): CommandError {
  return new CommandError(what, EXIT.usage);
}
