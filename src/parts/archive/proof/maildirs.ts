// The files of messages in the Maildirs of the archive, as they lie there now. Nothing is held in memory but the names of
// one directory's portion; no link is followed.

import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../../base/error-code.ts";
import { folderNameOf } from "../model/folder-name.ts";
import { accountDirectory, PARTS } from "../model/maildir-place.ts";

/** A file of a message, by its names. */
export interface PlacedFile {
  readonly account: string;
  readonly folder: string;
  /** Its directory and name in the folder: "new/NAME", "cur/NAME:2,S". */
  readonly place: string;
  readonly path: string;
}

/** The addresses of all accounts that have a directory. */
export async function* accountsIn(root: string): AsyncGenerator<string, void, undefined> {
  for await (const domain of directoriesIn(root)) {
    for await (const localPart of directoriesIn(join(root, domain))) {
      yield `${localPart}@${domain}`;
    }
  }
}

/** The files of an account, in no order. A directory that goes away meanwhile has no more files. */
export async function* filesOf(
  root: string,
  account: string,
): AsyncGenerator<PlacedFile, void, undefined> {
  const maildir = accountDirectory(root, account);
  yield* filesIn(maildir, "", account);
  for await (const directory of directoriesIn(maildir)) {
    if (directory.startsWith(".")) yield* filesIn(maildir, directory, account);
  }
}

async function* filesIn(
  maildir: string,
  directory: string,
  account: string,
): AsyncGenerator<PlacedFile, void, undefined> {
  const folder = folderNameOf(directory);
  for (const part of PARTS) {
    for await (const { name } of entriesIn(join(maildir, directory, part))) {
      if (name.startsWith(".")) continue;
      const place = `${part}/${name}`;
      yield { account, folder, place, path: join(maildir, directory, place) };
    }
  }
}

async function* directoriesIn(path: string): AsyncGenerator<string, void, undefined> {
  for await (const entry of entriesIn(path)) if (entry.isDirectory()) yield entry.name;
}

async function* entriesIn(path: string) {
  try {
    for await (const entry of await opendir(path, { bufferSize: 1000 })) yield entry;
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}
