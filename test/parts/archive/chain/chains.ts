// Chains in a directory of their own, and a verifier that shares no code with the source: it follows docs/archive.md.

import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChainLine, ChainReader } from "../../../../src/parts/archive/chain/reader.ts";

/** A directory that is removed after the test. */
export class Directory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "unseen-chain-"));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export async function linesOf(directory: string): Promise<ChainLine[]> {
  return (await Array.fromAsync(new ChainReader(directory).read())).flat();
}

/** The texts of all lines. Throws at the first line whose hash is wrong. */
export function independently(directory: string): string[] {
  let before = "0".repeat(64);
  const texts: string[] = [];
  for (const day of readdirSync(directory).toSorted()) {
    const lines = readFileSync(join(directory, day), "latin1").split("\n");
    if (lines.pop() !== "") throw new Error(`${day} does not end with a line end`);
    for (const [index, line] of lines.entries()) {
      const [hash = ""] = line.split(" ", 1);
      const follows = `${before}${line.slice(hash.length)}\n`;
      if (createHash("sha256").update(follows, "latin1").digest("hex") !== hash) {
        throw new Error(`${day}:${index + 1}`);
      }
      texts.push(line.slice(hash.length + 1));
      before = hash;
    }
  }
  return texts;
}
