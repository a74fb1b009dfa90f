// How the archive is asked: over a Unix socket at which its process answers. Other parts know no more of the archive.
//
// Doors: protocol.ts.

import { join } from "node:path";

export { askSocket, NoArchive } from "./ask.ts";

/** The path of the socket, for a relay with this spool directory. */
export function archiveSocket(spoolDirectory: string): string {
  return join(spoolDirectory, "archive.sock");
}

/** A message as a list shows it. */
export interface ListedMessage {
  readonly id: number;
  readonly account: string;
  readonly folder: string;
  /** When it was delivered, in ISO 8601. */
  readonly date: string;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly size: number;
  readonly attachments: readonly string[];
  /** Null if the file is gone. */
  readonly path: string | null;
}
