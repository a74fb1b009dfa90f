// The names that may become part of the path of a Maildir.

/**
 * Names that may become part of a path. Each is the lower-cased canonical key of a list or lookup, never text from the
 * wire. Absent when no list of the router contained the name.
 */
export interface Account {
  readonly domain?: string;
  readonly localPart?: string;
  readonly senderDomain?: string;
  readonly senderLocalPart?: string;
  /** Of a login at a proxy: the whole account, and its two parts. */
  readonly account?: string;
  readonly accountDomain?: string;
  readonly accountLocalPart?: string;
  /** The name of a Maildir++ folder with its leading dot, in modified UTF-7; "" is the inbox. */
  readonly folder?: string;
}
