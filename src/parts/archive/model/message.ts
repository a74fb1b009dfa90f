// A message of the archive, as the index knows it.

export interface ArchivedMessage {
  /** A safe integer that rises with the time of delivery, so the newest message has the greatest id. */
  readonly id: number;
  /** LOCAL_PART@DOMAIN of the directory DOMAIN/LOCAL_PART. */
  readonly account: string;
  /** "INBOX", "Sent", "Archive/2026". */
  readonly folder: string;
  /** The unique name: the name of the file up to its first colon. It is unique only within the folder. */
  readonly name: string;
  /** ms since the epoch: the file's mtime, or the relay's own Delivery-date line if the mtime is younger. */
  readonly deliveredAt: number;
  /** Octets of the file. */
  readonly size: number;
  /** Hexadecimal, of the file. */
  readonly sha256: string;
  /** Hexadecimal, of the file without the header lines that the delivery wrote at its top. */
  readonly contentSha256: string;
  /** The Date field in ms since the epoch; undefined if the field is missing or broken. */
  readonly date: number | undefined;
  readonly from: string;
  /** The addresses of To and Cc, and those that the delivery noted. */
  readonly to: string;
  readonly subject: string;
  /** Without angle brackets; empty if the message has none. */
  readonly messageId: string;
  /** The names of the attachments. */
  readonly attachments: readonly string[];
  /** False if the message could not be parsed: then only its header section and its raw text are in the index. */
  readonly isParsed: boolean;
}
