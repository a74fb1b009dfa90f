// Mail from elsewhere on its way into the archive: sources give messages, and the importer writes each of them once.

export { type AccountContents, markKey, readAccountContents } from "./account-contents.ts";
export { type ImapAddress, isImapAddress, parseImapAddress } from "./imap-address.ts";
export { openImapSource } from "./imap-source.ts";
export { type ImportCounts, Importer, type ImportListener } from "./importer.ts";
export { openPathSource } from "./path-source.ts";
export type { Source } from "./source.ts";
