// What an account has already: the contents of its messages, and the marks of those that an import has brought.
//
// Invariants:
//
// - A content counts only if its file is there.
// - A file that the index does not have yet is read here, so an index that is behind, or none, brings no duplicate.

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, opendir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../../base/error-code.ts";
import {
  DELIVERY_HEADERS_OCTETS,
  readDeliveryHeaders,
} from "../../../maildir/read-delivery-headers.ts";
import type { IndexedContent } from "../index/index-reader.ts";
import { importMarksIn } from "../model/imported-name.ts";
import { accountDirectory, maildirFile, PARTS } from "../model/maildir-place.ts";
import { KnownContents } from "./known-contents.ts";
import { octetsOfFile } from "./octets-of-file.ts";

export interface AccountContents {
  readonly known: KnownContents;
  /** Marks of messages on other servers. */
  readonly marks: KnownContents;
  /** The Maildirs of the account. */
  readonly maildirs: readonly string[];
}

export async function readAccountContents(
  root: string,
  account: string,
  indexed: AsyncIterable<IndexedContent>,
): Promise<AccountContents> {
  const top = accountDirectory(root, account);
  const directories = await folderDirectories(top);
  const [known, marks] = [new KnownContents(), new KnownContents()];
  const [there, done] = [new KnownContents(), new KnownContents()];
  for await (const { directory, name } of filesIn(top, directories)) {
    const place = placeOf(directory, name);
    there.add(place);
    const found = importMarksIn(name);
    if (found === undefined) continue;
    known.add(Buffer.from(found.sha256, "hex"));
    if (found.mark !== undefined) marks.add(markKey(found.mark));
    done.add(place);
  }
  for await (const { contentSha256, directory, name } of indexed) {
    const place = placeOf(directory, name);
    if (!there.has(place)) continue;
    known.add(Buffer.from(contentSha256, "hex"));
    done.add(place);
  }
  for await (const { directory, name, path } of filesIn(top, directories)) {
    if (done.has(placeOf(directory, name))) continue;
    const hash = await contentHash(path);
    if (hash !== undefined) known.add(hash);
  }
  return { known, marks, maildirs: directories.map((directory) => join(top, directory)) };
}

/** The key of a mark in a set of contents. */
export function markKey(mark: string): Buffer {
  return createHash("sha256").update(mark).digest();
}

function placeOf(directory: string, name: string): Buffer {
  return createHash("sha256").update(`${directory}/${name}`).digest();
}

async function folderDirectories(top: string): Promise<string[]> {
  try {
    const entries = await readdir(top, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory() && entry.name.startsWith("."));
    return ["", ...folders.map(({ name }) => name)];
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

interface Found {
  readonly directory: string;
  readonly name: string;
  readonly path: string;
}

async function* filesIn(top: string, directories: readonly string[]): AsyncGenerator<Found> {
  for (const directory of directories) {
    for (const part of PARTS) {
      const folder = join(top, directory, part);
      try {
        for await (const { name: file } of await opendir(folder, { bufferSize: 1000 })) {
          yield { directory, name: maildirFile(part, file).name, path: join(folder, file) };
        }
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
      }
    }
  }
}

/** Without the delivery headers. Undefined if the file is gone, or is none. */
async function contentHash(path: string): Promise<Buffer | undefined> {
  try {
    await using file = await open(
      path,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    if (!(await file.stat()).isFile()) return undefined;
    const top = Buffer.alloc(DELIVERY_HEADERS_OCTETS);
    const { bytesRead } = await file.read(top, 0, top.length, 0);
    const { length } = readDeliveryHeaders(top.subarray(0, bytesRead));
    const hash = createHash("sha256");
    for await (const piece of octetsOfFile(file, () => undefined, length)) hash.update(piece);
    return hash.digest();
  } catch (error) {
    // Moved by a reader since its name was read, or a symbolic link: at worst the message is imported once more.
    if (["ENOENT", "ELOOP"].includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
}
