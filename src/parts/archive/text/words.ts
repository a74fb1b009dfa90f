// Compares the two texts of a multipart/alternative, so that the index need not hold the same text twice.

const WORD = /[\p{L}\p{N}]+/gu;
/** Characters of a plain text up to which its words are remembered, for memory's sake. */
const COMPARED = 200_000;

/**
 * The lines of `text` that have a word which `plain` lacks, and the lines beside them, so that a phrase is found across
 * the end of a line. All of them if `plain` is long.
 */
export function linesBeyond(plain: string, text: string): string {
  if (plain.length > COMPARED) return text;
  const words = new Set(plain.match(WORD));
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const isNew = lines.map((line) => hasWordBeyond(words, line));
  return lines
    .filter((_, at) => isNew[at] === true || isNew[at - 1] === true || isNew[at + 1] === true)
    .join("\n");
}

function hasWordBeyond(words: ReadonlySet<string>, line: string): boolean {
  for (const [word] of line.matchAll(WORD)) if (!words.has(word)) return true;
  return false;
}
