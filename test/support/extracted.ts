// The Extract of a message that a test writes down.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { extractFile } from "../../src/parts/archive/text/extract-file.ts";
import type { Extract } from "../../src/parts/archive/text/extract.ts";

/** A text has one character for each octet. */
export async function extracted(message: string | Buffer, attachments = true): Promise<Extract> {
  const folder = mkdtempSync(join(tmpdir(), "unseen-text-"));
  try {
    const path = join(folder, "message");
    writeFileSync(path, typeof message === "string" ? Buffer.from(message, "latin1") : message);
    const extract = await extractFile(path, { attachments, alive() {}, partly() {} });
    if (extract === "gone") throw new Error("the file is gone");
    return extract;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The octets of `text` in UTF-8, one character for each. */
export function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
