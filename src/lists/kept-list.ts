// The last list that was believed of each lsearch file, in lists/ of the spool directory, so that a restart does not
// take an emptied file for the list. The copy is the file's own text under one line that says whose copy it is. Beside
// it stands the digest of a list that its writer has confirmed: that very list is believed, whatever it has lost.
//
// Invariants: both are replaced whole and durably. Only the relay writes copies; anybody with the right to write here
// may confirm. An empty list is never confirmed.

import { createHash } from "node:crypto";
import { type BigIntStats, statSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { errorCode } from "../base/error-code.ts";
import { replaceFile } from "../base/durable/kept-files.ts";
import { readList } from "./list-content.ts";
import { parseLsearch } from "./lsearch-text.ts";

/** Of the name of the list in that of its copy: the digest alone tells copies apart. */
const NAME_MAX = 80;

/** "lists/gmail_accounts.1f2e3d4c5b6a7988" in the spool directory. `path` is absolute. */
export function keptListPath(spoolDirectory: string, path: string): string {
  const digest = createHash("sha256").update(path).digest("hex").slice(0, 16);
  const name = basename(path)
    .replaceAll(/[^\w.-]/g, "_")
    .slice(0, NAME_MAX);
  return join(spoolDirectory, "lists", `${name}.${digest}`);
}

/**
 * The text of the last list that was believed of `path`; undefined when there is none. Throws when there is one and it
 * cannot be used.
 */
export async function readKeptList(
  spoolDirectory: string,
  path: string,
): Promise<string | undefined> {
  let written: string;
  try {
    written = await readFile(keptListPath(spoolDirectory, path), "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  const head = headOf(path);
  if (!written.startsWith(head)) throw new Error(`it is not a copy of ${path}`);
  return written.slice(head.length);
}

export async function writeKeptList(
  spoolDirectory: string,
  path: string,
  text: string,
): Promise<void> {
  await replaceFile(keptListPath(spoolDirectory, path), headOf(path) + text);
}

/** How the confirmation looks, to see whether there is a new one; undefined when there is none to be seen. */
export function lookAtConfirmation(spoolDirectory: string, path: string): BigIntStats | undefined {
  try {
    return statSync(confirmationPath(spoolDirectory, path), {
      bigint: true,
      throwIfNoEntry: false,
    });
  } catch {
    return undefined;
  }
}

/** Whether the list at `path` is confirmed with this text. Throws when that cannot be read. */
export async function isConfirmedList(
  spoolDirectory: string,
  path: string,
  text: string,
): Promise<boolean> {
  try {
    const written = await readFile(confirmationPath(spoolDirectory, path), "utf8");
    return written.trim() === digestOf(text);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** What it confirmed is believed: should the same list come back one day, it is judged as any other. */
export async function removeConfirmation(spoolDirectory: string, path: string): Promise<void> {
  await rm(confirmationPath(spoolDirectory, path), { force: true });
}

/**
 * Confirms the list at `path` as it is, or as it will be when `text` is written there next: a relay on this spool
 * believes it at once, and after a restart. Returns the number of its entries. Throws, and confirms nothing, when the
 * list cannot be read or has no entry.
 */
export async function confirmList(
  spoolDirectory: string,
  path: string,
  text?: string,
): Promise<number> {
  const content = text === undefined ? (await readList(path)).content : { text };
  if (!("text" in content)) {
    throw new Error(`${path}: ${"error" in content ? content.error : content.unsound}`);
  }
  const { size } = await parseLsearch(content.text);
  if (size === 0) throw new Error(`${path}: has no entry`);
  // Where nothing is kept, nothing is compared; and a directory made here might not be the relay's.
  if ((await readKeptList(spoolDirectory, path)) !== undefined) {
    const digest = digestOf(content.text);
    await replaceFile(confirmationPath(spoolDirectory, path), `${digest}\n`, 0o644);
  }
  return size;
}

function confirmationPath(spoolDirectory: string, path: string): string {
  return `${keptListPath(spoolDirectory, path)}.confirmed`;
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A comment of lsearch, so that the copy can be put in the place of the list as it is. */
function headOf(path: string): string {
  return `# The relay's copy of ${JSON.stringify(path)}, as it last believed it.\n`;
}
