// How full a file system is, as df counts.

import { statfs } from "node:fs/promises";

export interface DiskUse {
  /** Octets of a block: a file takes whole blocks. */
  readonly block: number;
  /** Used octets, and all that users may have: used and available. */
  readonly used: number;
  readonly octets: number;
  /** Used inodes, and all inodes; 0 if the file system does not count them. */
  readonly usedInodes: number;
  readonly inodes: number;
}

/** Rejects if the directory does not exist. */
export async function diskUse(directory: string): Promise<DiskUse> {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(directory);
  const used = (blocks - bfree) * bsize;
  return {
    block: bsize,
    used,
    octets: used + bavail * bsize,
    usedInodes: files - ffree,
    inodes: files,
  };
}

/** The fuller one of octets and inodes, as a part of one. */
export function fullness({ used, octets, usedInodes, inodes }: DiskUse): number {
  const ofOctets = octets === 0 ? 0 : used / octets;
  return Math.max(ofOctets, inodes === 0 ? 0 : usedInodes / inodes);
}
