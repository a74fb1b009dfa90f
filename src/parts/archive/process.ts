// The archive's own process: it holds the archive open for writing, and answers at archive.sock.

import type { Configuration } from "../../config/configuration.ts";
import { retaining } from "./retaining.ts";
import { Archive, type ArchiveMeans } from "./service/archive.ts";
import { requireArchive } from "./service/settings.ts";
import { serveArchive } from "./service/socket.ts";
import { operations } from "./operations/operations.ts";

export interface ServedArchive {
  close(): Promise<void>;
}

/** Rejects if another process is writing to the archive. */
export async function serve(
  configuration: Configuration,
  means: ArchiveMeans,
): Promise<ServedArchive> {
  await using opened = new AsyncDisposableStack();
  const archive = opened.use(Archive.forWriting(requireArchive(configuration), means));
  const server = await serveArchive(archive, operations);
  opened.defer(() => server.close());
  archive.indexer.start();
  opened.use(retaining(archive, configuration));
  const running = opened.move();
  return { close: () => running.disposeAsync() };
}
