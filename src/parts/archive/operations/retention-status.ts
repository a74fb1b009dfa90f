// The part of `archive status` about the file system, retention, holds and the last verification.

import { errorCode } from "../../../base/error-code.ts";
import { idAt } from "../model/ids.ts";
import { type DiskUse, diskUse, fullness } from "../retention/disk.ts";
import { storeSummary } from "../retention/store.ts";
import type { Archive } from "../service/archive.ts";

const DAY = 86_400_000;
/** The rate at which mail comes is that of the last 30 days. */
const RATE_DAYS = 30;

/** Shares are parts of one. Times are null if there is none. */
export async function retentionStatus(archive: Archive): Promise<object> {
  const { directory, state, retention } = archive.settings;
  const { holds, verified, faults } = storeSummary(state);
  const own = {
    holds,
    verified: verified === undefined ? null : new Date(verified).toISOString(),
    ...(faults !== undefined && { faults }),
  };
  const disk = await usedDisk(directory);
  if (disk === undefined) return own;
  const used = Math.round(fullness(disk) * 1000) / 1000;
  if (retention === undefined) return { ...own, used };
  const { high_water: mark } = retention;
  const reached = archive.index.fault === undefined ? markReached(archive, disk, mark) : null;
  return { ...own, used, high_water: mark, mark_reached: reached };
}

/** Undefined without the directory. */
async function usedDisk(directory: string): Promise<DiskUse | undefined> {
  try {
    return await diskUse(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** When octets reach the mark at the rate of the last 30 days. */
function markReached({ clock, index }: Archive, disk: DiskUse, mark: number): string | null {
  const now = clock.now();
  const sql = "SELECT total(size) AS octets FROM messages WHERE id >= ?";
  const octets = Number(index.open.reader.get(sql, idAt(now - RATE_DAYS * DAY))?.["octets"] ?? 0);
  const left = disk.octets * mark - disk.used;
  const days = left / (octets / RATE_DAYS);
  if (!(days >= 0) || days > 36_500) return null;
  return new Date(now + days * DAY).toISOString();
}
