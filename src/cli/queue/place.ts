// The place of a configuration's queue. A file with errors is good enough to find it. So a postmaster who has just
// broken routers.toml can still look at the queue, and give orders to the relay that runs with the old configuration.

import { readSpoolPaths, type SpoolPaths } from "../../config/spool-paths.ts";
import { type ConfigurationFile, readConfiguration } from "../configuration-file.ts";
import { warn } from "../../base/terminal.ts";

export interface QueuePlace {
  readonly relay: SpoolPaths;
  readonly file: ConfigurationFile;
}

/** Reports on stderr when the file has errors. Throws WrongConfiguration when it does not name a spool directory. */
export async function findQueue(given: string | undefined): Promise<QueuePlace> {
  const file = await readConfiguration(given);
  const { configuration, wrong } = file;
  if (configuration !== undefined) return { relay: configuration.relay, file };
  const relay = await readSpoolPaths(file.file);
  if (relay === undefined) throw wrong;
  const count = wrong.problems.length === 1 ? "a mistake" : `${wrong.problems.length} mistakes`;
  warn(
    `relayctl: ${file.file} has ${count}, and only spool_directory and control_socket are used; see relayctl check`,
  );
  return { relay, file };
}
