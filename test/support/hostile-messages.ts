// Contents of messages that formats of mail find hard to keep: each must come back octet for octet. No two are equal.

export function hostileContents(longLine = 1_000_000): Buffer[] {
  const head =
    "From: Ann <ann@example.net>\nSubject: hostile\nDate: Thu, 01 Jan 2026 00:00:00 +0000\n";
  const from = "From a@b.example Thu Jan  1 00:00:00 2026\n";
  return [
    "",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "\n\r\n",
    "x",
    "no header at all",
    head,
    head.trimEnd(),
    `${head}\n`,
    `${head}\n\n\n\n`,
    `${head}\nno final newline`,
    `${head}\nfinal CR\r`,
    `${head}\nfinal CR LF\r\n`,
    `${head}\n\r`,
    `${head}\nFrom here\n\n${from}Subject: not a message\n\nbody\n`,
    `${from}${head}\nbody\n`,
    `From the first line on\n${head}\n`,
    `>From the first line on\n${head}\n`,
    `${head}\n>From one\n>>From two\n>>>>From four\n > From\n>From`,
    `${head}\n>>>>\n>>>`,
    `${head}\nbody\n\nFrom `,
    `${head}\nbody\n\nFrom`,
    `${head}\nbody\n\nFr`,
    `${head}\nbody\n\n>`,
    `${head}\nFrom \nFrom\n From \n\tFrom x\n`,
    `${head}\n.\n..\n.x\n`,
    `${head}\nNUL \0 \0\0\n`,
    `${head}\nbare CR \r in a line\r\rand more\n`,
    `${head}\nmixed\r\nline\nends\r\n`,
    `${head.replaceAll("\n", "\r\n")}\r\nall CRLF\r\n\r\n`,
    `${head}\n8 bit \xe9\xff\x80 and UTF-8 \xc3\xa9\n`,
    `${head}\n${"y".repeat(longLine)}\nshort\n`,
    `${head}\n${">".repeat(longLine)}From after many\n`,
    `${head}\n${"From ".repeat(longLine / 5)}\n`,
    `X-Gmail-Labels: Trash\n${head}\nlabelled by its sender\n`,
    `Return-path: <ann@example.net>\nEnvelope-to: bob@example.com\nDelivery-date: Thu, 01 Jan 2026 00:00:00 +0000\n${head}\na copy of the relay\n`,
  ].map((text) => Buffer.from(text, "latin1"));
}
