// [users]: the file of the people who may log in.

import { resolve } from "node:path";
import { isTable } from "../base/table.ts";
import type { Configuration } from "../config/configuration.ts";
import { optional, options, path } from "../options/options.ts";

export const usersOptions = options({
  file: optional(
    path(
      "The passwd-file of the users. Dovecot reads the same file. `relayctl users` writes it; lines that others wrote stay as they are.",
    ),
    '"users", beside routers.toml',
  ),
});

/** The absolute path of the users file. The table may be missing. */
export function usersFileOf({
  parts,
  directory,
}: Pick<Configuration, "parts" | "directory">): string {
  const section = parts["users"];
  const file = isTable(section) ? section["file"] : undefined;
  return typeof file === "string" ? file : resolve(directory, "users");
}
