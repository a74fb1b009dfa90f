// The limits of one message. Each keeps a hostile message below 2 s of CPU and its process below 150 MB. If a message
// reaches one, the text up to there is indexed and the message is marked as not wholly parsed.

const KILO = 1024;
const MEGA = KILO * KILO;

/** Octets of one header section. */
export const HEADER_OCTETS = MEGA;
/** Octets of one field's value, with its repetitions. */
export const FIELD_OCTETS = 256 * KILO;
/** Header sections in one message. */
export const PARTS = 10_000;
/** Multiparts inside multiparts, and messages inside messages. What lies deeper is read as plain text. */
export const DEPTH = 100;
/** Octets of all text parts together, as they stand in the file. */
export const TEXT_OCTETS = 6 * MEGA;
/** Characters of the body that are indexed, and as many of all attachments together. */
export const TEXT_CHARACTERS = 2 * MEGA;
/** Names of attachments, and characters of one name. */
export const NAMES = 1000;
export const NAME_CHARACTERS = 255;
/** Octets of one document (PDF, OOXML, ODF), decoded. */
export const DOCUMENT_OCTETS = 12 * MEGA;
/** Octets that the documents of one message may have when decoded and inflated, all together. */
export const INFLATED_OCTETS = 8 * MEGA;
/** Octets that are indexed of a message that could not be read in the ordinary way. */
export const RAW_OCTETS = 256 * KILO;
/** Milliseconds of CPU for all PDF documents of a message. Reading stops after the page that exceeds them. */
export const PDF_TIME = 1500;
