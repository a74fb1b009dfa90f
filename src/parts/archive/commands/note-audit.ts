// A line of the audit log, noted before a command shows or takes out mail.
//
// Without the archive's process the line is written by a process of its own, because the writer becomes the relay's user for
// good: a command of root could not write its own files afterwards.

import { fork } from "node:child_process";
import { once } from "node:events";
import { systemClock } from "../../../base/clock.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { Configuration } from "../../../config/configuration.ts";
import { askSocket, NoArchive } from "../../../archive/archive.ts";
import type { AuditEntry } from "../chain/audit.ts";
import { Archive } from "../service/archive.ts";
import { type ArchiveSettings, requireArchive } from "../service/settings.ts";

interface Note {
  readonly settings: ArchiveSettings;
  readonly entry: AuditEntry;
}

/** Resolves when the line is on disk. Throws CommandError. */
export async function noteAudit(configuration: Configuration, entry: AuditEntry): Promise<void> {
  const settings = requireArchive(configuration);
  try {
    for await (const _ of askSocket(settings.socket, "audit", entry)) continue;
    return;
  } catch (error) {
    if (!(error instanceof NoArchive)) throw error;
  }
  const writer = fork(import.meta.filename, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let said = "";
  writer.stderr?.on("data", (chunk) => (said += String(chunk)));
  const ended = once(writer, "close");
  writer.send({ settings, entry } satisfies Note);
  const [code] = await ended;
  if (code === EXIT.ok) return;
  const exit = typeof code === "number" ? code : EXIT.software;
  throw new CommandError(`the audit log cannot be written: ${said.trim()}`, exit);
}

async function write({ settings, entry }: Note): Promise<void> {
  const log = { event: () => undefined };
  await using archive = Archive.forWriting(settings, { clock: systemClock, log });
  await archive.audit.append([entry]);
}

function isNote(value: unknown): value is Note {
  return typeof value === "object" && value !== null && "settings" in value && "entry" in value;
}

if (import.meta.main && process.send !== undefined) {
  process.once("message", (note) => {
    if (!isNote(note)) return;
    write(note).then(
      () => process.disconnect?.(),
      (error: unknown) => {
        process.stderr.write(error instanceof Error ? error.message : String(error));
        process.exitCode = error instanceof CommandError ? error.exitCode : EXIT.software;
        process.disconnect?.();
      },
    );
  });
}
