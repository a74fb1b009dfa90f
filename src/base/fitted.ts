// Text in a column of a terminal, where a character of Chinese takes two places and an accent none.

const WIDE =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\u3000-\u303E\u30FB-\u30FC\uFF01-\uFF60\uFFE0-\uFFE6\p{Emoji_Presentation}]/u;
const HALF_WIDTH = /[\uFF61-\uFFDC]/;
const MARK = /\p{M}/u;
const PLAIN = /^[ -~]*$/;

/** The text in exactly `columns` columns: cut with "…", or filled with blanks. It must be printable. */
export function fitted(text: string, columns: number): string {
  if (PLAIN.test(text) && text.length <= columns) return text.padEnd(columns);
  let [width, cutAt, cutWidth, at] = [0, 0, 0, 0];
  for (const character of text) {
    const own = widthOf(character);
    if (width + own > columns)
      return `${text.slice(0, cutAt)}…${" ".repeat(columns - cutWidth - 1)}`;
    width += own;
    at += character.length;
    if (width < columns) [cutAt, cutWidth] = [at, width];
  }
  return text + " ".repeat(columns - width);
}

function widthOf(character: string): number {
  if (MARK.test(character)) return 0;
  return WIDE.test(character) && !HALF_WIDTH.test(character) ? 2 : 1;
}
