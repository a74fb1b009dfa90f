// Real mail, and the way in: each message in the very bytes that it has, so that what comes out can be compared.
// UNSEEN_MAIL names a directory with more of it, .eml files with LF line ends.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Wire } from "../support/wire.ts";

export interface Mail {
  readonly name: string;
  /** With CRLF line ends. */
  readonly bytes: Buffer;
}

export function realMail(): Mail[] {
  const more = process.env["UNSEEN_MAIL"];
  const directories = [join(import.meta.dirname, "..", "corpus")];
  if (more !== undefined) directories.push(more);
  return directories.flatMap((directory) =>
    readdirSync(directory)
      .filter((name) => name.endsWith(".eml"))
      .toSorted()
      .map((name) => {
        const text = readFileSync(join(directory, name), "latin1");
        return { name, bytes: Buffer.from(text.replaceAll("\n", "\r\n"), "latin1") };
      }),
  );
}

/** Sends every message over one connection and insists that each is accepted. */
export async function submit(
  port: number,
  from: string,
  to: string,
  mails: readonly Mail[],
): Promise<void> {
  using wire = await Wire.open(port);
  await wire.reply();
  assert.match(await wire.ask("EHLO client.test"), /^250/);
  for (const { name, bytes } of mails) {
    assert.match(await wire.ask(`MAIL FROM:<${from}> BODY=8BITMIME`), /^250/);
    assert.match(await wire.ask(`RCPT TO:<${to}>`), /^250/);
    assert.match(await wire.ask("DATA"), /^354/);
    wire.send(stuffed(bytes));
    assert.match(await wire.ask("."), /^250/, name);
  }
  await wire.ask("QUIT");
}

function stuffed(bytes: Buffer): Buffer {
  const text = bytes.toString("latin1");
  const inside = text.replaceAll("\r\n.", "\r\n..");
  return Buffer.from(text.startsWith(".") ? `.${inside}` : inside, "latin1");
}
