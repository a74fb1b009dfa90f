// Text of strangers made fit to be printed: in the log, in JSON for programs, on a terminal. Everything that the relay
// and relayctl print goes through here.
//
// Invariants: no reader sees a line end, a cursor movement, or text turned round, that a stranger has sent. JSON stays
// the same JSON: a program that reads it has the characters as they came.

/** What JSON.stringify leaves as it is: DEL and C1 controls, marks that change how text is shown, Unicode's line ends. */
const LEFT_BY_JSON = /[\u007F-\u009F\p{Cf}\p{Zl}\p{Zp}]/gu;
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const PLAIN = /^[ -~]*$/;

/** `value` as JSON in one line, whoever reads it and however that reader finds line ends. */
export function jsonLine(value: unknown): string {
  const json = JSON.stringify(value);
  return PLAIN.test(json) ? json : json.replaceAll(LEFT_BY_JSON, escaped);
}

/** One line for people: what cannot be seen is written as in JSON, "\u202e". A tab becomes a space. */
export function printable(text: string): string {
  return PLAIN.test(text) ? text : text.replaceAll("\t", " ").replaceAll(HIDDEN, escaped);
}

/** The same for a text of several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** One character, which may be two units of UTF-16. */
function escaped(character: string): string {
  let text = "";
  for (let at = 0; at < character.length; at++) {
    text += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
  }
  return text;
}
