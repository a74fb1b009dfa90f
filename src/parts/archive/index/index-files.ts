// The files of the index below `state`: index-N.sqlite. The one with the highest number serves.
//
// Invariant: a new index is made under a name of its own and gets its number by one rename, when it is whole. Until then
// the old one serves, also after a kill.

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { syncDirectoryNow } from "../../../base/durable/directory.ts";

const NAME = /^index-(\d+)\.sqlite$/;
const BUILDING = "index.building";

/** The number of the index that serves; undefined if there is none. */
function currentNumber(state: string): number | undefined {
  const numbers = readdirSync(state).flatMap((name) => NAME.exec(name)?.slice(1).map(Number) ?? []);
  return numbers.length === 0 ? undefined : Math.max(...numbers);
}

function indexFile(state: string, number: number): string {
  return join(state, `index-${number}.sqlite`);
}

/** The index that serves; undefined if there is none yet. */
export function currentIndex(state: string): string | undefined {
  if (!existsSync(state)) return undefined;
  const number = currentNumber(state);
  return number === undefined ? undefined : indexFile(state, number);
}

/** The index for the process that writes: earlier ones, and one that was never finished, are removed. */
export function ownIndex(state: string): string {
  const number = currentNumber(state) ?? 1;
  for (const name of readdirSync(state)) {
    const other = NAME.exec(name.replace(/-(?:wal|shm|journal)$/, ""))?.[1];
    const isOld = other !== undefined && Number(other) !== number;
    if (isOld || name.startsWith(BUILDING)) rmSync(join(state, name), { force: true });
  }
  return indexFile(state, number);
}

/** Octets of all files of indexes. */
export function indexOctets(state: string): number {
  const names = readdirSync(state).filter((name) => name.startsWith("index"));
  const sizes = names.map((name) => statSync(join(state, name), { throwIfNoEntry: false })?.size);
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
}

/** The file of an index that is being made beside the one that serves. What an earlier attempt has left is removed. */
export function buildingIndex(state: string): string {
  for (const name of readdirSync(state)) {
    if (name.startsWith(BUILDING)) rmSync(join(state, name), { force: true });
  }
  return join(state, BUILDING);
}

/** Puts a closed index in the place of the one that serves. From the rename on it is the one that counts. */
export function installIndex(state: string): string {
  const building = join(state, BUILDING);
  const file = indexFile(state, (currentNumber(state) ?? 0) + 1);
  const descriptor = openSync(building, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(building, file);
  syncDirectoryNow(state);
  return file;
}
