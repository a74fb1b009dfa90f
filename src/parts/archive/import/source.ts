// What an import reads: messages one after the other, each with the name by which a person finds it again.

export interface SourceMessage {
  readonly kind: "message";
  /** "old.mbox at octet 4711", "mail.zip: a/b.eml", "INBOX, UID 12". */
  readonly where: string;
  /** The folder that the source names; undefined if it names none. */
  readonly folder: string | undefined;
  /** The folder to which the place of the file points; undefined if it points to none. Labels come before it. */
  readonly place?: string | undefined;
  /** The mailbox may come from Google Takeout, whose labels stand in the message. */
  readonly hasLabels?: boolean;
  /** 16 hexadecimal digits, which only this message of this source has. They stand in the name of its file. */
  readonly mark?: string;
  /** The time of delivery, in ms since the epoch; undefined if the source does not know it. */
  readonly time: number | undefined;
  /** "all": the source has CRLF line ends. "kept": octets are kept as they are. "look": as the first line has them. */
  readonly lineEnds: "all" | "kept" | "look";
  /** Read to its end, or left, before the next message is asked for. */
  readonly body: AsyncIterable<Buffer>;
}

export type SourceItem =
  | SourceMessage
  /** Something that looks like mail and cannot be imported. */
  | { readonly kind: "refused"; readonly where: string; readonly why: string }
  /** A message that the account has, as the source knows without reading it. */
  | { readonly kind: "known" }
  /** A file that is no mail. */
  | { readonly kind: "skipped"; readonly where: string };

export interface Source {
  /** For people: the path or the address as it was given. */
  readonly name: string;
  /** Octets of the whole source; undefined if it does not say. */
  readonly size: number | undefined;
  /** Octets that have been read. */
  readonly read: number;
  items(): AsyncIterable<SourceItem>;
  close?(): Promise<void>;
}

/** The rest of a source cannot be read. */
export class SourceError extends Error {
  readonly where: string;

  constructor(where: string, why: string, cause?: unknown) {
    super(why, { cause });
    this.where = where;
  }
}

/** The octets; an error of the system on the way becomes a SourceError. */
export async function* readErrors(
  octets: AsyncIterable<Buffer>,
  where: string,
): AsyncGenerator<Buffer> {
  try {
    yield* octets;
  } catch (error) {
    if (error instanceof SourceError) throw error;
    throw new SourceError(where, error instanceof Error ? error.message : String(error), error);
  }
}
