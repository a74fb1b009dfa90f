// Messages of which signers and verifiers have not always thought the same.

export const HEADERS: readonly string[] = [
  "From: a@example.com\r\nSubject: x\r\n\r\n",
  "from:a@example.com\r\nSUBJECT:  folded\r\n\t words \r\nTo: ålice@example.org\r\n\r\n",
];

/** Each by what is unusual about it. */
export const BODIES: Readonly<Record<string, string | Buffer>> = {
  "that is empty": "",
  "of one line": "x\r\n",
  "without a last line end": "x\r\ny",
  "of blank lines": "\r\n\r\n\r\n",
  "of lines of blanks": " \r\n\t\r\n \t \r\n",
  "that ends in blank lines": "x\r\n\r\n\r\n\r\n",
  "that ends in lines of blanks": "x\r\n \r\n\t\r\n",
  "that begins with blank lines": "\r\n\r\nx\r\n",
  "with blanks at the ends of lines": "x \t\r\n y\t\r\nz   \r\n",
  "with runs of blanks": "a  b\t\tc \t d\r\n\ta\r\n",
  "with dots at the beginning of lines": ".\r\n..\r\n.x\r\n",
  "with octets of every kind": Buffer.from(
    Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10 && byte !== 13),
  ),
  "in Latin-1": Buffer.from("caf\xe9 \xa0 \r\n", "latin1"),
  "in UTF-8": "Middag på torsdag 用户 \u2028\r\n",
  "with a long line": `${"x ".repeat(60_000)}\r\n`,
  "of many pieces": "line with blanks \t\r\n\r\n".repeat(20_000),
};
