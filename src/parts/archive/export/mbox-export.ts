// An export as one mbox in the form mboxrd.

import { readDeliveryHeaders } from "../../../maildir/read-delivery-headers.ts";
import { fromLineText } from "../formats/from-line.ts";
import { FromQuotes } from "../formats/from-quotes.ts";
import { type ExportWriter, type OpenedMessage, Unreadable } from "./exported-message.ts";
import { OutputFile } from "./output-file.ts";

const LF = 0x0a;
const CR = 0x0d;
/** Octets in which the sender is looked for. */
const HEAD = 64 * 1024;

export async function mboxExport(path: string): Promise<ExportWriter> {
  const output = await OutputFile.create(path);
  return {
    async add(opened) {
      const start = output.length;
      try {
        await write(opened, output);
      } catch (error) {
        if (error instanceof Unreadable) await output.truncate(start);
        throw error;
      }
    },
    finish: () => output.finish(),
    abandon: () => output.abandon(),
  };
}

async function write(opened: OpenedMessage, output: OutputFile): Promise<void> {
  const { folder } = opened.message;
  const head = await opened.peek(0, HEAD);
  const last = await opened.peek(opened.size - 1, 1);
  const isUnended = opened.size > 0 && last[0] !== LF;
  const line = {
    sender: senderOf(head),
    time: opened.time,
    folder,
    namesInbox: hasLabels(head),
    isUnended,
    keepsCrlf: mayLookLikeCrlf(head),
  };
  await output.write(Buffer.from(fromLineText(line)));
  const quotes = new FromQuotes("add");
  for await (const octets of opened.octets()) {
    for (const piece of quotes.push(octets)) await output.write(piece);
  }
  await output.write(quotes.end());
  await output.write(Buffer.from(isUnended ? "\n\n" : "\n"));
}

/** An importer would take the first line for one of a file with CRLF line ends. */
function mayLookLikeCrlf(head: Buffer): boolean {
  const first = head.indexOf(LF);
  return first === -1 ? head.length === HEAD : head[first - 1] === CR;
}

/** An importer would take them for those of Google Takeout. */
function hasLabels(head: Buffer): boolean {
  return /^x-gmail-labels[ \t]*:/im.test(head.toString("latin1"));
}

const ADDRESS = /<([^<>\s@]+@[^<>\s@]+)>|([^\s<>@,;:"()]+@[^\s<>@,;:"()]+)/;

/** The reverse-path of the copy, or else the address of From. "" for the null sender. */
function senderOf(head: Buffer): string {
  const text = head.toString("latin1");
  const path = /^Return-path: <([^>\n]*)>/i.exec(text)?.[1];
  if (path !== undefined) return path;
  const below = text.slice(readDeliveryHeaders(head).length);
  const section = below.split(/\n\r?\n/, 1)[0] ?? "";
  const from = /^from[ \t]*:((?:[^\n]|\n[ \t])*)/im.exec(section)?.[1] ?? "";
  const [, angle, plain] = ADDRESS.exec(from.slice(0, 1000)) ?? [];
  return angle ?? plain ?? "";
}
