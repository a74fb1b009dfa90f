// A small archive on disk, for tests of what goes in and out: its files, and what lies in it afterwards.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { ExportedMessage } from "../../src/parts/archive/export/exported-message.ts";
import { folderDirectoryOf } from "../../src/parts/archive/model/folder-name.ts";
import { accountDirectory } from "../../src/parts/archive/model/maildir-place.ts";

export interface Stored extends ExportedMessage {
  readonly path: string;
}

interface NewStored {
  readonly folder: string;
  readonly content: Buffer;
  /** In ms since the epoch. */
  readonly time: number;
}

/** Puts messages into the Maildirs of an account, as the relay does. */
export function storeMessages(
  root: string,
  account: string,
  messages: readonly NewStored[],
): Stored[] {
  return messages.map(({ content, folder, time }, index) => {
    const maildir = join(accountDirectory(root, account), folderDirectoryOf(folder));
    for (const part of ["tmp", "new", "cur"]) mkdirSync(join(maildir, part), { recursive: true });
    const name = `${Math.floor(time / 1000)}.M${index}P1Q${index}.host,S=${content.length}`;
    const path = index % 2 === 0 ? join(maildir, "new", name) : join(maildir, "cur", `${name}:2,S`);
    writeFileSync(path, content);
    utimesSync(path, time / 1000, time / 1000);
    return {
      account,
      folder,
      name,
      path,
      deliveredAt: time,
      size: content.length,
      sha256: createHash("sha256").update(content).digest("hex"),
      subject: `Subject / ${index} ü: "x" .`,
    };
  });
}

/** Each file below new/ and cur/, as "FOLDER SECONDS HASH", in order. */
export function storedIn(root: string, account: string): string[] {
  const top = accountDirectory(root, account);
  return filesBelow(top)
    .flatMap((path) => {
      const parts = relative(top, path).split("/");
      if (!["new", "cur"].includes(parts.at(-2) ?? "")) return [];
      const folder = parts.slice(0, -2).join("/") || "INBOX";
      const seconds = Math.floor(statSync(path).mtimeMs / 1000);
      const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
      return [`${folder} ${seconds} ${hash}`];
    })
    .toSorted();
}

export function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}
