// Plain text as people see it: soft line breaks undone (RFC 3676), files in uuencode taken out.

export interface PlainText {
  readonly text: string;
  /** Names of the files that stood in the text, in uuencode. */
  readonly files: readonly string[];
}

/** `isFlowed`: format=flowed with delsp=yes, where the blank before a line break is no part of the text. */
export function plainText(source: string, isFlowed: boolean): PlainText {
  const text = isFlowed ? source.replaceAll(/ \r?\n>* ?/g, "") : source;
  return /^begin [0-7]{3,4} /m.test(text) ? withoutFiles(text) : { text, files: [] };
}

const BEGIN = /^begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n(?=[ -`]*\r?$)/gm;
const FILES_MAX = 1000;

function withoutFiles(source: string): PlainText {
  const files: string[] = [];
  let text = "";
  let at = 0;
  BEGIN.lastIndex = 0;
  for (let begin = BEGIN.exec(source); begin !== null; begin = BEGIN.exec(source)) {
    const end = source.indexOf("\nend", begin.index);
    if (end < 0 || files.length >= FILES_MAX) break;
    files.push((begin[1] ?? "").trim());
    text += source.slice(at, begin.index);
    at = end + "\nend".length;
    BEGIN.lastIndex = at;
  }
  return { text: text + source.slice(at), files };
}
