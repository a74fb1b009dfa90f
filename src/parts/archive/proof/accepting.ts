// Notes in the manifest that the postmaster knows of a loss, so that verification calls it right from then on.

import { join, relative, resolve, sep } from "node:path";
import {
  manifestDirectory,
  type ManifestEntry,
  manifestEntryOf,
  nameOfPlace,
} from "../chain/manifest.ts";
import { ChainReader } from "../chain/reader.ts";
import { folderNameOf } from "../model/folder-name.ts";
import { PARTS } from "../model/maildir-place.ts";
import { hashOfFile } from "./file-hash.ts";
import type { FileNames } from "./register.ts";

interface Accepting {
  /** The directory of the Maildirs. */
  readonly directory: string;
  readonly state: string;
  readonly why: string;
}

/**
 * The entries that accept these paths as they are now. A path is a file as `archive verify` names it, or a line of a
 * chain, "STATE/manifest/DAY:LINE". `refused` has a line for each path that cannot be accepted.
 */
export async function acceptedEntries(
  paths: readonly string[],
  order: Accepting,
): Promise<{ readonly entries: readonly ManifestEntry[]; readonly refused: readonly string[] }> {
  const named = paths.map((path) => ({ path, names: namesOf(path, order) }));
  const known = await knownAmong(
    named.flatMap(({ names }) => names ?? []),
    order.state,
  );
  const entries: ManifestEntry[] = [];
  const refused: string[] = [];
  for (const { path, names } of named) {
    const entry =
      names === undefined ? breakOf(path, order) : await lossOf(path, names, known, order);
    if (typeof entry === "object") entries.push(entry);
    else
      refused.push(
        entry ?? `${path}: neither a message's file nor a line of the manifest or the audit log`,
      );
  }
  return { entries, refused };
}

async function lossOf(
  path: string,
  names: FileNames,
  known: ReadonlySet<string>,
  { why }: Accepting,
): Promise<ManifestEntry | string> {
  const seen = await hashOfFile(path);
  if (seen === "unreadable") return `${path}: cannot be read`;
  if (seen !== "gone") return { word: "accepted", ...names, sha256: seen.sha256, why };
  if (known.has(keyOf(names))) return { word: "accepted", ...names, sha256: undefined, why };
  return `${path}: there is no such file, and the manifest has none`;
}

function breakOf(path: string, { state, why }: Accepting): ManifestEntry | undefined {
  const inState = relative(state, resolve(path));
  const [, chain, day, line] =
    /^(manifest|audit)\/(\d{4}-\d\d-\d\d):(\d{1,9})$/.exec(inState) ?? [];
  if (chain === undefined || day === undefined) return undefined;
  return { word: "accepted-break", chain, day, line: Number(line), why };
}

/** The names of the file at DIRECTORY/DOMAIN/LOCAL_PART/[.FOLDER/]new|cur/NAME. */
function namesOf(path: string, { directory }: Accepting): FileNames | undefined {
  const names = relative(directory, resolve(path)).split(sep);
  const [domain, localPart, ...rest] = names;
  const folderDirectory = rest.length === 3 ? rest.shift() : "";
  const [part, file] = rest;
  if (domain === ".." || localPart === undefined || file === undefined || rest.length !== 2) return;
  if (folderDirectory === undefined || !PARTS.some((each) => each === part)) return undefined;
  if (folderDirectory !== "" && !folderDirectory.startsWith(".")) return undefined;
  return {
    account: `${localPart}@${domain}`,
    folder: folderNameOf(folderDirectory),
    place: join(part ?? "", file),
  };
}

async function knownAmong(
  wanted: readonly FileNames[],
  state: string,
): Promise<ReadonlySet<string>> {
  const asked = new Set(wanted.map(keyOf));
  const known = new Set<string>();
  for await (const lines of new ChainReader(manifestDirectory(state)).read()) {
    for (const { word, fields } of lines) {
      const entry = word === "file" ? manifestEntryOf(word, fields) : undefined;
      if (entry?.word === "file" && asked.has(keyOf(entry))) known.add(keyOf(entry));
    }
  }
  return known;
}

function keyOf({ account, folder, place }: FileNames): string {
  return [account, folder, nameOfPlace(place)].join("\0");
}
