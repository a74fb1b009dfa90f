// What cannot be read leaves the queue for corrupt/, where a person can look at what is left of it: ID.json holds
// the rows as they are, ID.body the bytes of the body.
//
// Invariant: all of it is on disk before anything is taken out of the spool.

import { link, open } from "node:fs/promises";
import { join } from "node:path";
import type { MessageId } from "../../mail/envelope.ts";
import { errorCode } from "../../base/error-code.ts";
import { bodyFile } from "./body.ts";
import { makeDirectory, syncDirectory } from "../../base/durable/directory.ts";
import type { StoredRow } from "./rows.ts";

/** Where damaged messages and databases go. */
export function corruptDirectory(spoolDirectory: string): string {
  return join(spoolDirectory, "corrupt");
}

/** Keeps a copy of the message's remains. Throws when the disk does not take it. */
export async function keepRemains(
  spoolDirectory: string,
  id: MessageId,
  row: StoredRow,
): Promise<void> {
  const directory = corruptDirectory(spoolDirectory);
  await makeDirectory(directory);
  const { body, ...rest } = row;
  await writeSynced(join(directory, `${id}.json`), JSON.stringify(rest, undefined, 2));
  const bodyRemains = join(directory, `${id}.body`);
  if (body instanceof Uint8Array) await writeSynced(bodyRemains, body);
  else await linkIfThere(bodyFile(spoolDirectory, id), bodyRemains);
  await syncDirectory(directory);
}

async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A link, so that the file stays where it is until its message has left the database. */
async function linkIfThere(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  }
}
