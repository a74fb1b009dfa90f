// Makes text from clients and hosts safe to print: in the log, in JSON for programs, on a terminal. Everything that the
// relay and relayctl print goes through here.
//
// Invariants: a client or host cannot bring a line end, a cursor movement or reversed text into the output. JSON stays
// the same JSON: a program that parses it gets the original characters.

/**
 * Characters that JSON.stringify does not escape: DEL and C1 controls, marks that change how text is shown, Unicode's
 * line ends.
 */
const LEFT_BY_JSON = /[\u007F-\u009F\p{Cf}\p{Zl}\p{Zp}]/gu;
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const PLAIN = /^[ -~]*$/;

/** `value` as JSON in one line, by every definition of a line end. */
export function jsonLine(value: unknown): string {
  const json = JSON.stringify(value);
  return PLAIN.test(json) ? json : json.replaceAll(LEFT_BY_JSON, escaped);
}

/** The text as one line for people. Invisible characters are escaped as in JSON, "\u202e". A tab becomes a space. */
export function printable(text: string): string {
  return PLAIN.test(text) ? text : text.replaceAll("\t", " ").replaceAll(HIDDEN, escaped);
}

/** The same for a text of several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** Escapes one character, which may be two units of UTF-16. */
function escaped(character: string): string {
  let text = "";
  for (let at = 0; at < character.length; at++) {
    text += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
  }
  return text;
}
