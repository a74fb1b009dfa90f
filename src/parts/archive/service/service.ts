// The archive as a service: one process writes, and answers at a socket. Without that process, a command opens the
// archive itself.
//
// Doors: archive.ts, operation.ts, options.ts, settings.ts, socket.ts.

import type { Configuration } from "../../../config/configuration.ts";
import { Archive, type ArchiveMeans } from "./archive.ts";
import { askSocket, NoArchive } from "../../../archive/archive.ts";
import type { AnyOperation } from "./operation.ts";
import { requireArchive } from "./settings.ts";

/**
 * The values of the answer as they come: from the archive's process, or without one from this process. A process of root
 * becomes the relay's user before it writes. Throws CommandError.
 */
export async function* ask(
  configuration: Configuration,
  asked: AnyOperation,
  order: object,
  means: ArchiveMeans,
): AsyncGenerator<object, void> {
  const settings = requireArchive(configuration);
  try {
    yield* askSocket(settings.socket, asked.verb, order);
    return;
  } catch (error) {
    if (!(error instanceof NoArchive)) throw error;
  }
  await using archive =
    asked.access === "write"
      ? Archive.forWriting(settings, means)
      : Archive.forReading(settings, means);
  yield* asked.answer(archive, order, new AbortController().signal);
}
