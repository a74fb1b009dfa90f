// relayctl reload: the running relay reads its configuration again. relayctl checks the configuration first, so the
// relay is asked only if it is valid.

import type { Given } from "../contract/command.ts";
import { askForReload, NoRelay } from "../run/control/client.ts";
import { controlSocket, type Reloaded, type ReloadRequest } from "../run/control/protocol.ts";
import { describeError } from "../observe/log.ts";
import { printable } from "../base/printable.ts";
import { requireConfiguration } from "./configuration-file.ts";
import { CommandError, EXIT } from "../contract/exit.ts";
import { printJson, warn } from "../base/terminal.ts";

export interface ReloadOptions extends Given {
  readonly acceptLists: boolean;
}

/** Throws CommandError when the configuration is invalid or no relay answers. */
export async function reloadCommand(options: ReloadOptions): Promise<number> {
  const { config, json, acceptLists } = options;
  const { relay } = await requireConfiguration(config);
  const reloaded = await ask(controlSocket(relay), { acceptLists });
  if (json) await printJson(reloaded);
  if ("problems" in reloaded) {
    if (!json) for (const problem of reloaded.problems) warn(printable(problem));
    return EXIT.configuration;
  }
  const { lists = [] } = reloaded;
  if (!json) {
    process.stdout.write(report(reloaded));
    for (const { path, why } of lists) {
      if (why !== undefined) warn(`${path}: not accepted: it ${why}`);
    }
  }
  return lists.some(({ why }) => why !== undefined) ? EXIT.notDone : EXIT.ok;
}

async function ask(socket: string, request: ReloadRequest): Promise<Reloaded> {
  let answer;
  try {
    answer = await askForReload(socket, request);
  } catch (error) {
    const why = error instanceof NoRelay ? error.message : describeError(error);
    throw new CommandError(why, EXIT.unavailable);
  }
  if ("error" in answer) throw new CommandError(answer.error, EXIT.unavailable);
  return answer;
}

function report({ listeners, kept, lists }: Extract<Reloaded, { kept: unknown }>): string {
  const accepted = lists?.filter(({ why }) => why === undefined);
  return [
    `The new configuration is in force, on ${listeners.join(", ")}.`,
    ...kept.map((name) => `${name}: as it was; restart the relay to change it`),
    ...(accepted?.map(({ path }) => `${path}: accepted as it is`) ?? []),
    ...(lists?.length === 0 ? ["Every list was believed already."] : []),
    "",
  ].join("\n");
}
