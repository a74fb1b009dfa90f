// What the archive learns from the file of one message: its fields, and the text that is indexed.

export interface Extract {
  /** Octets of the file. */
  readonly size: number;
  /** SHA-256 of the file, in hexadecimal digits. */
  readonly sha256: string;
  /** The same without the delivery headers on top. */
  readonly contentSha256: string;
  /** Milliseconds since the epoch, of the Date field. Undefined if the field is missing, broken or absurd. */
  readonly date: number | undefined;
  /** Milliseconds since the epoch, of the relay's own Delivery-date line. */
  readonly deliveryDate: number | undefined;
  readonly from: string;
  /** To, Cc, and the addresses of the relay's own Envelope-to line that are in neither. */
  readonly to: string;
  readonly subject: string;
  /** Without angle brackets; "" if the message has none. */
  readonly messageId: string;
  /** Names of all files in the message, those of forwarded messages too. A file without a name gets one by its type. */
  readonly attachments: readonly string[];
  /** The message has a file that is more than an image shown inside its HTML text. */
  readonly hasAttachment: boolean;
  readonly body: string;
  /** The text of each attachment that has any, in the order of the message. */
  readonly attachmentTexts: readonly string[];
  /** All text that the archive can read is here: no limit was reached, nothing failed. */
  readonly isParsed: boolean;
}
