// Finds the configuration file and reads it for a command.

import {
  type Configuration,
  type ConfigurationProblem,
  problemLine,
} from "../config/configuration.ts";
import { loadConfiguration } from "../config/load.ts";
import { CommandError, EXIT } from "../contract/exit.ts";
import { builtIn } from "../built-in.ts";

const DEFAULT_FILE = "/etc/unseen/routers.toml";

export class WrongConfiguration extends CommandError {
  readonly problems: readonly ConfigurationProblem[];

  constructor(problems: readonly ConfigurationProblem[]) {
    super(problems.map(problemLine), EXIT.configuration);
    this.problems = problems;
  }
}

/** `--config`, then `$UNSEEN_CONFIG`, then /etc/unseen/routers.toml. */
function configurationFile(given: string | undefined): string {
  const fromEnvironment = process.env["UNSEEN_CONFIG"];
  return given ?? (fromEnvironment === "" ? undefined : fromEnvironment) ?? DEFAULT_FILE;
}

/** The file with either a valid configuration or its problems. */
export type ConfigurationFile = { readonly file: string } & (
  | { readonly configuration: Configuration; readonly wrong?: never }
  | { readonly configuration?: never; readonly wrong: WrongConfiguration }
);

/** Throws CommandError when the file is missing or unreadable (exit 66). */
export async function readConfiguration(given: string | undefined): Promise<ConfigurationFile> {
  const file = configurationFile(given);
  const loaded = await loadConfiguration(file, builtIn);
  if ("unreadable" in loaded) throw new CommandError(loaded.unreadable, EXIT.noInput);
  if ("configuration" in loaded) return { file, configuration: loaded.configuration };
  return { file, wrong: new WrongConfiguration(loaded.problems) };
}

/** Throws WrongConfiguration, or CommandError when the file is missing or unreadable (exit 66). */
export async function requireConfiguration(given: string | undefined): Promise<Configuration> {
  const { configuration, wrong } = await readConfiguration(given);
  if (configuration === undefined) throw wrong;
  return configuration;
}
