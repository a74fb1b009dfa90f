// Where the configuration is, and what a command says when it cannot be used.

import {
  type Configuration,
  type ConfigurationProblem,
  problemLine,
} from "../config/configuration.ts";
import { loadConfiguration } from "../config/load.ts";
import { CommandError, EXIT } from "./exit.ts";

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

/** Throws WrongConfiguration, or CommandError when there is no file (exit 66). */
export async function requireConfiguration(given: string | undefined): Promise<Configuration> {
  const loaded = await loadConfiguration(configurationFile(given));
  if ("configuration" in loaded) return loaded.configuration;
  if ("unreadable" in loaded) throw new CommandError(loaded.unreadable, EXIT.noInput);
  throw new WrongConfiguration(loaded.problems);
}
