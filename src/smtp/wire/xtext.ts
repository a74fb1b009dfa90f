// The forms of ENVID and ORCPT in SMTP and in a report: xtext (RFC 3461 4), and the two forms of an
// internationalized address, plain and in ASCII (RFC 6533 3). Text that cannot be decoded stays as it is.
// Decoded text may hold any character, and must be cleaned before it is shown.

/** RFC 3461 4: "+2B" back to "+". */
export function decodeXtext(text: string): string {
  return text.replaceAll(/\+([0-9A-F]{2})/g, (_, hex: string) => characterOf(hex));
}

/** RFC 6533 3: "bj\x{F8}rn" to "bjørn". */
export function unicodeAddress(text: string): string {
  return text.replaceAll(/\\x\{([0-9A-F]{1,6})\}/gi, (whole, hex: string) =>
    isCharacter(Number.parseInt(hex, 16)) ? characterOf(hex) : whole,
  );
}

/** RFC 6533 3, the other way: for a report that must stay in ASCII. */
export function asciiAddress(text: string): string {
  return text.replaceAll(
    /[^!-~]|[+=\\]/gu,
    (character) => `\\x{${character.codePointAt(0)?.toString(16).toUpperCase().padStart(2, "0")}}`,
  );
}

/** Whether `code` is a Unicode code point, surrogates excluded. */
function isCharacter(code: number): boolean {
  return code <= 0x10_ff_ff && (code < 0xd8_00 || code > 0xdf_ff);
}

function characterOf(hex: string): string {
  return String.fromCodePoint(Number.parseInt(hex, 16));
}
