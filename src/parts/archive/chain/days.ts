// The files of a chain: one for each UTC day on which lines were written.

import { join } from "node:path";
import { filesIn } from "../../../base/durable/kept-files.ts";

const DAY = /^\d{4}-\d\d-\d\d$/;

/** The days that have a file, the oldest first. */
export async function daysIn(directory: string): Promise<string[]> {
  return (await filesIn(directory)).filter((name) => DAY.test(name)).toSorted();
}

export function dayFile(directory: string, day: string): string {
  return join(directory, day);
}

/** The day that a line of this time is written to: that of the time, or `last` if that is later. */
export function dayOf(at: Date, last: string | undefined): string {
  const day = at.toISOString().slice(0, 10);
  const written = DAY.test(day) ? day : "9999-12-31";
  return last !== undefined && last > written ? last : written;
}
