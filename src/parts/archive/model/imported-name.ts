// The marks of an imported file in its unique name: "I" and the SHA-256 by which a later import finds the message again,
// and "U" and a mark of the message in the mailbox on another server that it was read from.
//
// They say where a file came from also when the import that wrote it was killed, and when the index is made anew.

const NAME = /^\d+\.M\d+I(?<sha256>[0-9a-f]{64})(?:U(?<mark>[0-9a-f]{16}))?P/;

export interface ImportMarks {
  /** Hexadecimal. */
  readonly sha256: string;
  /** 16 hexadecimal digits; undefined if the message came from a file. */
  readonly mark: string | undefined;
}

/** The key that stands in the name of a file. */
export function importKey({ sha256, mark }: ImportMarks): string {
  return mark === undefined ? `I${sha256}` : `I${sha256}U${mark}`;
}

/** Undefined if the file did not come by import. */
export function importMarksIn(name: string): ImportMarks | undefined {
  const { sha256, mark } = NAME.exec(name)?.groups ?? {};
  return sha256 === undefined ? undefined : { sha256, mark };
}
