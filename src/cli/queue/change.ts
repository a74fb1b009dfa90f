// relayctl queue retry and remove. A running relay is asked; where none runs, the spool is changed under its lock.

import { systemClock } from "../../clock.ts";
import type { Configuration } from "../../config/configuration.ts";
import { askRelay, NoRelay } from "../../control/client.ts";
import { type ControlRequest, controlSocket } from "../../control/protocol.ts";
import { describeError } from "../../log.ts";
import { parseDomain } from "../../smtp/address.ts";
import type { Change, Selection } from "../../spool.ts";
import { SpoolInUse } from "../../spool/lock.ts";
import { changeQueueFile } from "../../spool/queue-file.ts";
import { requireConfiguration } from "../configuration-file.ts";
import { CommandError, EXIT } from "../exit.ts";

export interface ChangeOptions {
  readonly config?: string;
  readonly json?: boolean;
}

export interface RetryOptions extends ChangeOptions {
  readonly all?: boolean;
  readonly domain?: string;
}

/** Exit 1 when one of the messages could not be had. */
export async function queueRetry(ids: readonly string[], options: RetryOptions): Promise<number> {
  const selection = selectionOf(ids, options);
  const changes = await change({ action: "retry", selection }, options);
  return report(changes, "due now", options);
}

export async function queueRemove(ids: readonly string[], options: ChangeOptions): Promise<number> {
  return report(await change({ action: "remove", ids }, options), "removed", options);
}

function selectionOf(ids: readonly string[], { all, domain }: RetryOptions): Selection {
  const given = [ids.length > 0, all === true, domain !== undefined].filter(Boolean).length;
  if (given !== 1) {
    throw new CommandError("name messages by their ids, or --all, or a --domain", EXIT.usage);
  }
  if (domain === undefined) return all === true ? { kind: "all" } : { kind: "ids", ids };
  const canonical = parseDomain(domain);
  if (canonical !== undefined) return { kind: "domain", domain: canonical };
  throw new CommandError(`--domain: "${domain}" is no domain`, EXIT.usage);
}

async function change(
  wanted: ControlRequest,
  { config }: ChangeOptions,
): Promise<readonly Change[]> {
  const configuration = await requireConfiguration(config);
  const socket = controlSocket(configuration.relay);
  try {
    const answer = await askRelay(socket, wanted);
    if ("error" in answer) throw new CommandError(answer.error, EXIT.unavailable);
    return answer.changes;
  } catch (error) {
    if (error instanceof NoRelay) return changeByOurselves(wanted, configuration, error);
    if (error instanceof CommandError) throw error;
    throw new CommandError(describeError(error), EXIT.unavailable);
  }
}

function changeByOurselves(
  wanted: ControlRequest,
  { relay }: Configuration,
  why: NoRelay,
): readonly Change[] {
  const now = systemClock.now();
  try {
    const changes = changeQueueFile(relay.spool_directory, now, (engine) =>
      wanted.action === "retry" ? engine.retry(wanted.selection) : engine.remove(wanted.ids),
    );
    return changes ?? idsOf(wanted).map((id) => ({ id, result: "unknown" }));
  } catch (error) {
    if (error instanceof SpoolInUse) {
      throw new CommandError(`a relay is running, but ${describeError(why)}`, EXIT.unavailable);
    }
    throw new CommandError(`cannot change the queue: ${describeError(error)}`, EXIT.unavailable);
  }
}

function idsOf(wanted: ControlRequest): readonly string[] {
  if (wanted.action === "remove") return wanted.ids;
  return wanted.selection.kind === "ids" ? wanted.selection.ids : [];
}

const TROUBLE = {
  unknown: "no such message",
  active: "is being delivered just now, try again later",
} as const;

function report(changes: readonly Change[], done: string, { json }: ChangeOptions): number {
  let exitCode: number = EXIT.ok;
  let count = 0;
  for (const { id, result } of changes) {
    if (result === "done") count++;
    else exitCode = EXIT.notDone;
    if (json === true) process.stdout.write(`${JSON.stringify({ id, result })}\n`);
    else if (result !== "done") process.stderr.write(`${id}: ${TROUBLE[result]}\n`);
  }
  if (json !== true) {
    process.stdout.write(`${count} ${count === 1 ? "message" : "messages"} ${done}\n`);
  }
  return exitCode;
}
