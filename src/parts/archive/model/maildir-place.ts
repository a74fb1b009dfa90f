// Where the file of a message lies: DIRECTORY/DOMAIN/LOCAL_PART/.Folder/cur/NAME:2,FLAGS. A reader moves a file from
// new/ to cur/ and changes what follows the colon. The unique name before the colon stays.

import { join } from "node:path";

export const PARTS = ["new", "cur"] as const;

export type MaildirPart = (typeof PARTS)[number];

/** A file in a Maildir, by its names. */
export interface MaildirFile {
  readonly part: MaildirPart;
  /** The name up to its first colon. */
  readonly name: string;
  /** The rest, from the colon on; often empty. */
  readonly suffix: string;
}

export function maildirFile(part: MaildirPart, fileName: string): MaildirFile {
  const colon = fileName.indexOf(":");
  if (colon === -1) return { part, name: fileName, suffix: "" };
  return { part, name: fileName.slice(0, colon), suffix: fileName.slice(colon) };
}

/** Below the directory of its folder. */
export function maildirPath({ part, name, suffix }: MaildirFile): string {
  return `${part}/${name}${suffix}`;
}

/** The Maildir of an account, below the archive's directory. */
export function accountDirectory(root: string, account: string): string {
  const at = account.lastIndexOf("@");
  return join(root, account.slice(at + 1), account.slice(0, at));
}

/** The file of a message in the folder with this directory. */
export function messagePath(
  root: string,
  account: string,
  folderDirectory: string,
  file: MaildirFile,
): string {
  return join(accountDirectory(root, account), folderDirectory, maildirPath(file));
}
