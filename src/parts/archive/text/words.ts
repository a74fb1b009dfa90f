// Compares the two texts of a multipart/alternative, so that the index need not hold the same text twice.

const WORD = /[\p{L}\p{N}]+/gu;

/** The words of `text`, added to `words` if there are any. */
export function wordsOf(text: string, words = new Set<string>()): Set<string> {
  for (const word of text.match(WORD) ?? []) words.add(word);
  return words;
}

/** The lines of `text` that have a word beyond `words`. */
export function linesBeyond(words: ReadonlySet<string>, text: string): string {
  const lines = text.split("\n").filter((line) => {
    for (const word of line.match(WORD) ?? []) if (!words.has(word)) return true;
    return false;
  });
  return lines.join("\n");
}
