// Line ends of mail that is imported: the archive has LF. A bare CR stays as it is.

import { LfStream } from "../../../maildir/line-ends.ts";
import type { SourceMessage } from "./source.ts";

const LF = 0x0a;
const CR = 0x0d;

const DECISIONS: Readonly<Record<SourceMessage["lineEnds"], "convert" | "keep" | undefined>> = {
  all: "convert",
  kept: "keep",
  look: undefined,
};

/** The octets with LF line ends, as {@link SourceMessage.lineEnds} says. */
export async function* withArchiveLineEnds({
  body,
  lineEnds,
}: Pick<SourceMessage, "body" | "lineEnds">): AsyncGenerator<Buffer> {
  const lines = new LfStream();
  let decided = DECISIONS[lineEnds];
  let last = 0;
  for await (const piece of body) {
    if (decided === undefined) {
      const first = piece.indexOf(LF);
      const before = first === 0 ? last : piece[first - 1];
      last = piece.at(-1) ?? last;
      if (first !== -1) decided = before === CR ? "convert" : "keep";
      // The stream may hold back a CR that ended the last piece.
      if (decided === "keep") yield lines.end();
    }
    // What is converted shares its memory with the next piece.
    yield decided === "keep" ? piece : Buffer.from(lines.convert(piece));
  }
  if (decided !== "keep") yield lines.end();
}
