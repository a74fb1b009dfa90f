// Names of the files in a winmail.dat (MS-OXTNEF 2.1). Their content is not read.

import { decodeText } from "./charset.ts";

const SIGNATURE = 0x223e9f78;
/** attAttachTitle: the name of a file, in the sender's charset. */
const TITLE = 0x00018010;
const NAMES_MAX = 1000;

export function tnefNames(bytes: Buffer): string[] {
  const names: string[] = [];
  if (bytes.length < 6 || bytes.readUInt32LE(0) !== SIGNATURE) return names;
  // Level (1), attribute (4), length (4), value, checksum (2).
  for (let at = 6; at + 9 <= bytes.length && names.length < NAMES_MAX;) {
    const length = bytes.readUInt32LE(at + 5);
    if (bytes.readUInt32LE(at + 1) === TITLE && length < 1000) {
      const value = bytes.subarray(at + 9, at + 9 + length);
      const name = decodeText(value, "").split("\0", 1)[0] ?? "";
      if (name !== "") names.push(name);
    }
    at += 9 + length + 2;
  }
  return names;
}
