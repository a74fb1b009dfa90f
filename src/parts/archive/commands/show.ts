// relayctl archive show: one message for reading, its file as it is, or one of its attachments.

import { printableLines } from "../../../base/printable.ts";
import { folded, paint, print, printJson } from "../../../base/terminal.ts";
import { sizeText } from "../../../base/units.ts";
import type { Given } from "../../../contract/command.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { CommandMeans } from "../../part.ts";
import { isViewed, type ViewedMessage } from "../operations/view.ts";
import { askArchive } from "./ask.ts";
import { timeIn } from "./search.ts";

interface ShowFlags extends Given {
  readonly raw: boolean;
  readonly text: boolean;
  readonly attachment: number | undefined;
}

export async function archiveShow(
  written: string,
  flags: ShowFlags,
  means: CommandMeans,
): Promise<number> {
  const { raw, text, attachment, json } = flags;
  const id = /^\d{1,15}$/.test(written) ? Number(written) : undefined;
  if (id === undefined) {
    throw new CommandError(
      `an id is a number that archive search shows, not "${written}"`,
      EXIT.usage,
    );
  }
  if ([raw, text, attachment !== undefined].filter(Boolean).length > 1) {
    throw new CommandError("--raw, --text and --attachment exclude one another", EXIT.usage);
  }
  if (raw) await copyOut(askArchive(means, "raw", { id }));
  else if (attachment !== undefined) {
    if (process.stdout.isTTY) {
      throw new CommandError("send the attachment into a file: add > FILE", EXIT.usage);
    }
    await copyOut(askArchive(means, "attachment", { id, number: attachment }));
  } else {
    for await (const message of askArchive(means, "view", { id })) {
      if (json) await printJson(message);
      else if (isViewed(message)) await print(text ? textOf(message) : messageText(message));
    }
  }
  return EXIT.ok;
}

/** The octets as they are into a file or a pipe; safe characters on a terminal. */
async function copyOut(chunks: AsyncIterable<object>): Promise<void> {
  const decoder = new TextDecoder();
  for await (const value of chunks) {
    if (!("chunk" in value) || typeof value.chunk !== "string") continue;
    const octets = Buffer.from(value.chunk, "base64");
    if (process.stdout.isTTY) await print(safe(decoder.decode(octets, { stream: true })));
    else await printOctets(octets);
  }
}

function printOctets(octets: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(octets, (error) => (error ? reject(error) : resolve()));
  });
}

const safe = (text: string) => printableLines(text.replaceAll("\r\n", "\n"));

function textOf({ text }: ViewedMessage): string {
  const whole = text.endsWith("\n") ? text : `${text}\n`;
  return process.stdout.isTTY ? safe(whole) : whole;
}

/** Fields, attachments with their numbers, and the text. */
export function messageText(message: ViewedMessage): string {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const { from, to, subject, account, folder, path, date, parts, flaw } = message;
  const lines = [
    ...field("From", from),
    ...field("To", to),
    ...field("Subject", subject),
    ...field("Delivered", timeIn(zone)(date)),
    ...field("Account", `${account}, ${folder}`),
    ...field("File", path ?? ""),
    ...parts.flatMap(({ number, name, type, size }) =>
      field(`Attachment ${number}`, `${name} (${type}, ${sizeText(size)})`),
    ),
    ...(flaw === "" ? [] : [paint("yellow", `Note: ${flaw}`)]),
  ];
  return `${lines.join("\n")}\n\n${safe(message.text).trimEnd()}\n`;
}

const WIDTH = 11;

function field(name: string, value: string): string[] {
  const [first = "", ...more] = folded(value, Math.max(WIDTH, name.length + 2));
  const head = `${name}:`.padEnd(Math.max(WIDTH, name.length + 2));
  return [paint("bold", head) + first.trimStart(), ...more];
}
