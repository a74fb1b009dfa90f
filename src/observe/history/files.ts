// The files of the history by name: 2026-11-22.sqlite, 2026-11-22.1.sqlite, each with SQLite's own files beside it.

import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../../base/error-code.ts";

const FILE_NAME = /^(\d{4}-\d\d-\d\d(?:\.\d{1,6})?)\.sqlite$/;

export function historyDirectory(spoolDirectory: string): string {
  return join(spoolDirectory, "history");
}

/** Names of the existing files without their ending, oldest first: "2026-11-22", "2026-11-22.1". */
export function daysIn(directory: string): string[] {
  try {
    const names = readdirSync(directory).flatMap((name) => FILE_NAME.exec(name)?.[1] ?? []);
    return names.toSorted((a, b) => dateOf(a).localeCompare(dateOf(b)) || partOf(a) - partOf(b));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

export function dayFile(directory: string, name: string): string {
  return join(directory, `${name}.sqlite`);
}

/** "2026-11-22". */
export function dateOf(name: string): string {
  return name.slice(0, 10);
}

/** 0 for the first file of a day. */
export function partOf(name: string): number {
  return Number(name.slice(11));
}

function filesOf(directory: string, name: string): string[] {
  const file = dayFile(directory, name);
  return [file, `${file}-wal`, `${file}-shm`];
}

/** Octets of the file and of SQLite's files beside it. */
export function sizeOf(directory: string, name: string): number {
  const sizes = filesOf(directory, name).map(
    (path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0,
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

export function removeDay(directory: string, name: string): void {
  for (const path of filesOf(directory, name)) rmSync(path, { force: true });
}
