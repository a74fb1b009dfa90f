// The message of a dry run, judged as at the end of DATA: by the reader that reads it from the wire, then by the
// rules for its header section.

import { Examination, type ExaminationServices } from "../authentication/examination.ts";
import type { Proof } from "../gate.ts";
import { HeaderWatch } from "../receive/header-watch.ts";
import { judgeHeader, judgeProofs } from "../receive/verdict.ts";
import { DotStuffer } from "../smtp/dot-stuffing.ts";
import { type BareNewlines, MessageReader, UNFIT } from "../smtp/message-reader.ts";
import { status, type Status } from "../status.ts";

export interface MessageQuestion {
  /** As the file has it: with LF line ends, or as on the wire. */
  readonly bytes: Buffer;
  readonly sizeMax: number;
  readonly textLineMax: number;
  readonly bareNewlines: BareNewlines;
  readonly receivedHeadersMax: number;
  readonly proofs: readonly Proof[];
}

const TAKEN = status(250, "0.0", "Ok, queued");

/** The reply after the dot. */
export async function judgeMessage(
  question: MessageQuestion,
  services: ExaminationServices,
): Promise<Status> {
  const { sizeMax, textLineMax, bareNewlines, receivedHeadersMax, proofs } = question;
  const reader = new MessageReader(sizeMax, textLineMax, bareNewlines);
  const header = new HeaderWatch(proofs);
  const examination = new Examination(services);
  const stuffer = new DotStuffer();
  const onTheWire = stuffer.stuff(withWireLineEnds(question.bytes));
  const content: Buffer[] = [];
  for (const bytes of [onTheWire, stuffer.end()]) {
    reader.read(bytes, (piece) => void content.push(piece));
  }
  for (const piece of content) {
    header.pass(piece);
    await examination.write(piece);
  }
  header.end();
  const refusal =
    (reader.unfit && UNFIT[reader.unfit]) ??
    judgeHeader(header, receivedHeadersMax) ??
    (await judgeProofs(header.unproven, () => examination.finish()));
  examination.abort();
  return refusal ?? TAKEN;
}

/** A file whose first line ends in LF alone has the line ends of this system; any other is taken as it is. */
function withWireLineEnds(bytes: Buffer): Buffer {
  const lf = bytes.indexOf(10);
  if (lf < 0 || bytes[lf - 1] === 13) return bytes;
  return Buffer.from(bytes.toString("latin1").replaceAll("\n", "\r\n"), "latin1");
}
