// relayctl failover on and off. The running relay carries them out. Without one, the state is written for the next start.

import { ownDirectory } from "../../base/durable/own-directory.ts";
import { given as present } from "../../base/given.ts";
import { isTable } from "../../base/table.ts";
import { print, printJson } from "../../base/terminal.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { describeError } from "../../observe/log.ts";
import { askPart, NoRelay } from "../../run/control/client.ts";
import { controlSocket } from "../../run/control/protocol.ts";
import type { CommandMeans } from "../part.ts";
import { failOverOf, type FailOverOptions } from "./options.ts";
import { type FailOverState, readState, writeState } from "./state.ts";

type Relay = Configuration["relay"];

/** Throws CommandError if the configuration is wrong, or a relay runs and does not do it. */
export async function failOverOn(
  { json, why }: Given & { readonly why: string | undefined },
  means: CommandMeans,
): Promise<number> {
  const configuration = await means.configuration();
  const { relay } = configuration;
  requireSection(configuration);
  const order = present({ why });
  const answer = await ordered(relay, "on", order, async (before) => {
    if (before?.mode === "on") return undefined;
    return { mode: "on", since: Date.now(), ...order } as const;
  });
  if (json) await printJson({ on: true, changed: answer.changed, relay: answer.runs });
  else if (!answer.changed) await print("Fail-over is on already.\n");
  else await print(answer.runs ? ON : `${ON}${NEXT_START}`);
  return EXIT.ok;
}

const ON = "Fail-over is on: mail for Google waits, and copies go on.\n";
const NEXT_START = "No relay runs: it is in force at the next start.\n";

export async function failOverOff(
  given: Given & { readonly keepLocal: boolean },
  means: CommandMeans,
): Promise<number> {
  const configuration = await means.configuration();
  requireSection(configuration);
  const { relay } = configuration;
  if (given.keepLocal) return keepLocal(relay, given);
  const answer = await ordered(relay, "off", {}, async (before) =>
    before === undefined ? undefined : { ...before, mode: "releasing" },
  );
  if (given.json) await printJson({ on: false, changed: answer.changed, relay: answer.runs });
  else if (!answer.changed) await print("Fail-over is off already.\n");
  else await print(answer.runs ? OFF : `${OFF}${NEXT_START}`);
  return answer.changed ? EXIT.ok : EXIT.notDone;
}

const OFF = `Fail-over has ended: mail that waits is delivered, oldest first.
relayctl failover status shows what is left.
`;

async function keepLocal(relay: Relay, { json }: Given): Promise<number> {
  const answer = await orderOf(relay, "keep-local", {});
  if (answer === undefined) {
    const why = "no relay runs: start it, because it compares the copies";
    throw new CommandError(why, EXIT.unavailable);
  }
  if (answer["changed"] !== true) throw new CommandError("fail-over is off", EXIT.notDone);
  const waiting = Array.isArray(answer["waiting"]) ? answer["waiting"].filter(isTable) : [];
  const settled = Number(answer["settled"]);
  if (json) await printJson({ settled, waiting });
  else await print(keptText(settled, waiting));
  return waiting.length === 0 ? EXIT.ok : EXIT.notDone;
}

function keptText(settled: number, waiting: readonly Readonly<Record<string, unknown>>[]): string {
  const lines = waiting.map(
    ({ recipient, messages }) => `  ${String(messages).padStart(6)}  ${String(recipient)}`,
  );
  return [
    `${settled} settled by their copies. Fail-over stays on, until failover off.`,
    ...(lines.length === 0 ? [] : ["No whole copy was found of these, and they wait:", ...lines]),
    "",
  ].join("\n");
}

/** Throws CommandError without [failover]. */
export function requireSection(configuration: Configuration): FailOverOptions {
  const options = failOverOf(configuration);
  if (options !== undefined) return options;
  const what = 'there is no [failover] in routers.toml: add it, with transports = ["gmail"]';
  throw new CommandError(what, EXIT.configuration);
}

interface Ordered {
  readonly changed: boolean;
  /** A relay runs and has carried it out. */
  readonly runs: boolean;
}

/** Gives the order to the running relay. Without one, writes the state that `next` makes of the present one. */
async function ordered(
  relay: Relay,
  verb: string,
  order: object,
  next: (before: FailOverState | undefined) => Promise<FailOverState | undefined>,
): Promise<Ordered> {
  const answer = await orderOf(relay, verb, order);
  if (answer !== undefined) return { changed: answer["changed"] === true, runs: true };
  const { spool_directory: directory, user } = relay;
  ownDirectory(directory, user);
  const state = await next(await readState(directory));
  if (state !== undefined) await writeState(directory, state);
  // A relay that has started meanwhile has read the former state.
  const runs = (await orderOf(relay, verb, order)) !== undefined;
  return { changed: state !== undefined, runs };
}

/** The relay's answer; undefined if none runs. Throws CommandError if it does not carry out the order. */
export async function orderOf(
  relay: Relay,
  verb: string,
  order: object,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  let answer: unknown;
  try {
    answer = await askPart(controlSocket(relay), `failover/${verb}`, order);
  } catch (error) {
    if (error instanceof NoRelay) return undefined;
    throw new CommandError(describeError(error), EXIT.unavailable);
  }
  if (!isTable(answer)) throw new CommandError("the relay's answer is not known", EXIT.unavailable);
  if (typeof answer["error"] === "string")
    throw new CommandError(answer["error"], EXIT.unavailable);
  return answer;
}
