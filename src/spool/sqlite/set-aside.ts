// A damaged message leaves the queue for corrupt/, where the postmaster can look at its remains: ID.json has the rows
// as they are, ID.body the bytes of the body.
//
// Invariant: the remains are on disk before the message is removed from the spool.

import { link, open } from "node:fs/promises";
import { join } from "node:path";
import type { MessageId } from "../../mail/envelope.ts";
import { errorCode } from "../../base/error-code.ts";
import { bodyFile } from "./body.ts";
import { makeDirectory, syncDirectory } from "../../base/durable/directory.ts";
import type { StoredRow } from "./rows.ts";

/** The directory for damaged messages and databases. */
export function corruptDirectory(spoolDirectory: string): string {
  return join(spoolDirectory, "corrupt");
}

/** Writes a copy of the message's remains. Throws if the disk refuses it. */
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

/** Makes a hard link, so that the file also stays where it is until its message has left the database. */
async function linkIfThere(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  }
}
