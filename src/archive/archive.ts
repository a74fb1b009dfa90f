// How the archive is asked: over a Unix socket at which its process answers. Other parts know no more of the archive.
//
// Doors: protocol.ts.

import { join } from "node:path";

export { askSocket, NoArchive } from "./ask.ts";

/** The path of the socket, for a relay with this spool directory. */
export function archiveSocket(spoolDirectory: string): string {
  return join(spoolDirectory, "archive.sock");
}
