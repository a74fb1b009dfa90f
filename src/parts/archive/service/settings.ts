// Where the archive is: the Maildirs, its own files, and its socket.

import { archiveSocket } from "../../../archive/archive.ts";
import type { Configuration } from "../../../config/configuration.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { ArchiveOptions } from "./options.ts";

export interface ArchiveSettings extends ArchiveOptions {
  /** The path of the Unix socket at which the archive's process answers. */
  readonly socket: string;
  /** The relay's user, to whom the files of the archive belong. */
  readonly user: string | undefined;
}

/** Undefined without [archive]. */
export function archiveOf({
  parts,
  relay,
}: Pick<Configuration, "parts" | "relay">): ArchiveSettings | undefined {
  const table = parts["archive"];
  if (!isArchive(table)) return undefined;
  return { ...table, socket: archiveSocket(relay.spool_directory), user: relay.user };
}

/** Throws CommandError (78) without [archive]. */
export function requireArchive(configuration: Configuration): ArchiveSettings {
  const settings = archiveOf(configuration);
  if (settings !== undefined) return settings;
  const what = `${configuration.file}: there is no archive: add the table [archive]`;
  throw new CommandError(what, EXIT.configuration);
}

/** The loader has read the table by `archiveOptions`. */
function isArchive(table: unknown): table is ArchiveOptions {
  return table !== undefined;
}
