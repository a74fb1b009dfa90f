// Messages of many shapes, the same at each run, for tests that compare octets.

import type { Mail } from "./mail.ts";

const LINE = `${"abcdefghijklmnop".repeat(4)}\r\n`;
const head = (index: number, more = "") =>
  `From: carol@example.net\r\nTo: alice@example.com\r\nSubject: shape ${index}\r\n${more}\r\n`;

const SHAPES: readonly ((index: number) => string)[] = [
  (index) => `${head(index)}hello\r\n`,
  (index) => head(index),
  (index) => `${head(index)}.\r\n..\r\n.leading dot\r\n...\r\n`,
  (index) => `${head(index)}\r\n\r\n\r\n`,
  (index) => `${head(index)}text\r\n\r\n\r\n`,
  (index) => `${head(index)}${" \t \r\n".repeat(5)}end \t\r\n`,
  (index) => `${head(index)}gr\xc3\xbc\xc3\x9fe, and latin: gr\xfc\xdfe\r\n`,
  (index) => `${head(index)}${"x".repeat(900)}\r\n${"y".repeat(5000)}\r\n`,
  (index) => `${head(index)}${LINE.repeat(30 + index)}`,
  (index) => `${head(index)}${LINE.repeat(1000)}`,
  (index) => `${head(index)}${LINE.repeat(6000 + index)}`,
  (index) => `${head(index, `X-Long: ${"word ".repeat(12)}\r\n${"\tfolded\r\n".repeat(60)}`)}x\r\n`,
  (index) => `${head(index, "Received: from a by b; Mon, 5 Jan 2026 10:00:00 +0000\r\n")}x\r\n`,
  (index) =>
    `${head(index, "Return-path: <x@example.org>\r\nEnvelope-to: y\r\n")}From the start\r\n`,
  (index) => `${head(index)}From here\r\n>From there\r\n\x01\x7f\x1b[0m\r\n`,
  (index) => `${head(index, "Bcc: someone@example.org\r\nStatus: RO\r\n")}x\r\n`,
];

export function variedMail(): Mail[] {
  return Array.from({ length: SHAPES.length * 3 }, (_, index) => ({
    name: `shape-${index}`,
    bytes: Buffer.from(SHAPES[index % SHAPES.length]?.(index) ?? "", "latin1"),
  }));
}
