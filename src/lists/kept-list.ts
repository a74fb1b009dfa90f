// The last believed list of each lsearch file, in lists/ of the spool directory. With it, a restart does not mistake
// an emptied file for the list. The copy is the file's own text under one line that names the file. Beside it is the
// digest of a list that its writer has confirmed: the relay believes this list, whatever it has lost.
//
// Invariants:
// - Copies and confirmations are replaced whole and durably.
// - Only the relay writes copies. Any user with the right to write here may confirm.
// - An empty list is never confirmed.

import { createHash } from "node:crypto";
import { type BigIntStats, statSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { errorCode } from "../base/error-code.ts";
import { replaceFile } from "../base/durable/kept-files.ts";
import { readList } from "./list-content.ts";
import { parseLsearch } from "./lsearch-text.ts";

/** Characters of the list's name in the name of its copy. Only the digest distinguishes copies. */
const NAME_MAX = 80;

/** "lists/gmail_accounts.1f2e3d4c5b6a7988" in the spool directory. `path` is absolute. */
export function keptListPath(spoolDirectory: string, path: string): string {
  const digest = createHash("sha256").update(path).digest("hex").slice(0, 16);
  const name = basename(path)
    .replaceAll(/[^\w.-]/g, "_")
    .slice(0, NAME_MAX);
  return join(spoolDirectory, "lists", `${name}.${digest}`);
}

/** The text of the last believed list of `path`; undefined without a copy. Throws if the copy cannot be used. */
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

/** The status of the confirmation file, by which a new one is noticed; undefined if none is visible. */
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

/** Whether the list at `path` is confirmed with this text. Throws if the confirmation cannot be read. */
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

/** Removes a confirmation that was used. If the same list comes back later, it is judged like any other. */
export async function removeConfirmation(spoolDirectory: string, path: string): Promise<void> {
  await rm(confirmationPath(spoolDirectory, path), { force: true });
}

/**
 * Confirms the list at `path` as it is, or as it will be when `text` is written there next. A relay on this spool
 * believes it at once, and after a restart. Returns the number of its entries. If the list cannot be read or has no
 * entry, throws and confirms nothing.
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
  // Without a copy the relay has nothing to compare. A directory made here might not belong to the relay.
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

/** The first line of a copy: a comment of lsearch, so that the copy can replace the list as it is. */
function headOf(path: string): string {
  return `# The relay's copy of ${JSON.stringify(path)}, as it last believed it.\n`;
}
