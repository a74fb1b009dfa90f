// What may stand in the path of a Maildir.

/**
 * Names that may become part of a path. Each is the lower-cased canonical key of a list or lookup, never text
 * from the wire; absent when no list of the router vouched for it.
 */
export interface Account {
  readonly domain?: string;
  readonly localPart?: string;
  readonly senderDomain?: string;
  readonly senderLocalPart?: string;
}
