// Compares the two texts of a multipart/alternative, so that the index need not hold the same text twice.

const WORD = /[\p{L}\p{N}]+/gu;
/** Characters of a plain text up to which its words are remembered, for memory's sake. */
const COMPARED = 200_000;

/** The lines of `text` that have a word which `plain` lacks. All of them if `plain` is long. */
export function linesBeyond(plain: string, text: string): string {
  if (plain.length > COMPARED) return text;
  const words = new Set(plain.match(WORD));
  const lines = text.split("\n").filter((line) => {
    for (const [word] of line.matchAll(WORD)) if (!words.has(word)) return true;
    return false;
  });
  return lines.join("\n");
}
