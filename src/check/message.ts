// The message of a dry run, judged as at the end of DATA: by the reader that reads it from the wire, then by all
// that looks at the content in a session.

import { type Inspected, Inspection, type InspectionServices } from "../receive/content/content.ts";
import { DotStuffer } from "../smtp/wire/dot-stuffing.ts";
import { type BareNewlines, MessageReader, UNFIT } from "../smtp/server/message-reader.ts";
import { status, type Status } from "../mail/status.ts";

export interface MessageQuestion {
  /** As the file has it: with LF line ends, or as on the wire. */
  readonly bytes: Buffer;
  readonly sizeMax: number;
  readonly textLineMax: number;
  readonly bareNewlines: BareNewlines;
  readonly receivedHeadersMax: number;
}

const TAKEN = status(250, "0.0", "Ok, queued");

export interface JudgedMessage {
  /** The reply after the dot. */
  readonly reply: Status;
  /** It has what it needs to count as relayed. */
  readonly shown: boolean;
}

export async function judgeMessage(
  question: MessageQuestion,
  inspected: Inspected,
  services: Omit<InspectionServices, "receivedHeadersMax">,
): Promise<JudgedMessage> {
  const { sizeMax, textLineMax, bareNewlines, receivedHeadersMax } = question;
  const reader = new MessageReader(sizeMax, textLineMax, bareNewlines);
  const stuffer = new DotStuffer();
  const content: Buffer[] = [];
  for (const bytes of [stuffer.stuff(withWireLineEnds(question.bytes)), stuffer.end()]) {
    reader.read(bytes, (piece) => void content.push(piece));
  }
  if (reader.unfit !== undefined) return { reply: UNFIT[reader.unfit], shown: true };
  const inspection = new Inspection(inspected, { ...services, receivedHeadersMax });
  for (const piece of content) {
    inspection.pass(piece);
    await inspection.ready;
  }
  inspection.end();
  const { refusal, shown = true } = await inspection.judge();
  return { reply: refusal ?? TAKEN, shown };
}

/** A file whose first line ends in LF alone has the line ends of this system; any other is taken as it is. */
function withWireLineEnds(bytes: Buffer): Buffer {
  const lf = bytes.indexOf(10);
  if (lf < 0 || bytes[lf - 1] === 13) return bytes;
  return Buffer.from(bytes.toString("latin1").replaceAll("\n", "\r\n"), "latin1");
}
