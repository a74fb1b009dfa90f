// relayctl reload: the running relay reads its configuration again. What is wrong with it is found here already, so
// the relay is asked only for what is right.

import { askForReload, NoRelay } from "../control/client.ts";
import { controlSocket } from "../control/protocol.ts";
import { describeError } from "../log.ts";
import { printable } from "../printable.ts";
import type { Reloaded } from "../reload.ts";
import { requireConfiguration } from "./configuration-file.ts";
import { CommandError, EXIT } from "./exit.ts";
import { printJson, warn } from "./terminal.ts";

export interface ReloadOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** Throws CommandError when the configuration is wrong or no relay answers. */
export async function reloadCommand({ config, json }: ReloadOptions): Promise<number> {
  const { relay } = await requireConfiguration(config);
  const reloaded = await ask(controlSocket(relay));
  if (json === true) await printJson(reloaded);
  if ("problems" in reloaded) {
    if (json !== true) for (const problem of reloaded.problems) warn(printable(problem));
    return EXIT.configuration;
  }
  if (json !== true) process.stdout.write(report(reloaded));
  return EXIT.ok;
}

async function ask(socket: string): Promise<Reloaded> {
  let answer;
  try {
    answer = await askForReload(socket);
  } catch (error) {
    const why = error instanceof NoRelay ? error.message : describeError(error);
    throw new CommandError(why, EXIT.unavailable);
  }
  if ("error" in answer) throw new CommandError(answer.error, EXIT.unavailable);
  return answer;
}

function report({ listeners, kept }: Extract<Reloaded, { kept: unknown }>): string {
  const restart = kept.map((name) => `${name}: as it was; restart the relay to change it\n`);
  return `The new configuration is in force, on ${listeners.join(", ")}.\n${restart.join("")}`;
}
