// Judges the message of a dry run as at the end of DATA: first by the reader for the wire, then by every check of the
// content that a session makes.

import { Inspection, type InspectionServices } from "../receive/content/content.ts";
import type { Inspected } from "../receive/content/inspected.ts";
import { DotStuffer } from "../smtp/wire/dot-stuffing.ts";
import { type BareNewlines, MessageReader, UNFIT } from "../smtp/server/message-reader.ts";
import { status, type Status } from "../mail/status.ts";

export interface MessageQuestion {
  /** The bytes of the file, with LF line ends or as on the wire. */
  readonly bytes: Buffer;
  readonly sizeMax: number;
  readonly textLineMax: number;
  readonly bareNewlines: BareNewlines;
}

const TAKEN = status(250, "0.0", "Ok, queued");

export interface JudgedMessage {
  /** The reply after the dot. */
  readonly reply: Status;
  /** The message has the proof that it needs to count as relayed. */
  readonly shown: boolean;
}

export async function judgeMessage(
  question: MessageQuestion,
  inspected: Inspected,
  services: InspectionServices,
): Promise<JudgedMessage> {
  const { sizeMax, textLineMax, bareNewlines } = question;
  const reader = new MessageReader(sizeMax, textLineMax, bareNewlines);
  const stuffer = new DotStuffer();
  const content: Buffer[] = [];
  for (const bytes of [stuffer.stuff(withWireLineEnds(question.bytes)), stuffer.end()]) {
    reader.read(bytes, (piece) => void content.push(piece));
  }
  if (reader.unfit !== undefined) return { reply: UNFIT[reader.unfit], shown: true };
  const inspection = new Inspection(inspected, services);
  for (const piece of content) {
    inspection.pass(piece);
    await inspection.ready;
  }
  inspection.end();
  const { refusal, relayed = true } = await inspection.judge();
  return { reply: refusal ?? TAKEN, shown: relayed };
}

/**
 * If the first line of a file ends in a bare LF, the file has this system's line ends, which become CRLF. Any other
 * file is taken unchanged.
 */
function withWireLineEnds(bytes: Buffer): Buffer {
  const lf = bytes.indexOf(10);
  if (lf < 0 || bytes[lf - 1] === 13) return bytes;
  return Buffer.from(bytes.toString("latin1").replaceAll("\n", "\r\n"), "latin1");
}
