// The mark of an imported file in its unique name: "I" and the SHA-256 by which a later import finds the message again.
// It says where a file came from also when the import that wrote it was killed, and when the index is made anew.

const NAME = /^\d+\.M\d+I([0-9a-f]{64})P/;

/** The key that stands in the name of a file. `sha256` has hexadecimal digits. */
export function importKey(sha256: string): string {
  return `I${sha256}`;
}

/** The SHA-256 in hexadecimal digits; undefined if the file did not come by import. */
export function importedContentIn(name: string): string | undefined {
  return NAME.exec(name)?.[1];
}
