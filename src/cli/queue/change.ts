// relayctl queue retry, freeze, thaw, bounce and remove: selects the messages and reports the result for each.

import type { Given } from "../../contract/command.ts";
import { systemClock } from "../../base/clock.ts";
import type { ChangeOrder } from "../../queue/postmaster.ts";
import { jsonLine } from "../../base/printable.ts";
import type { AddressFilter, Change, Filter } from "../../spool/spool.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { filterOf, type FilterOptions, isFiltered, recipientOf } from "./filter.ts";
import { openQueue } from "./open.ts";
import { findQueue } from "./place.ts";
import { ReachedQueue } from "./reach.ts";
import { warn } from "../../base/terminal.ts";

export interface ChangeOptions extends FilterOptions, Given {
  readonly all: boolean;
}

export type ChangeAction = ChangeOrder["action"];

/** Number of messages in one order. Between two orders, a running relay receives and delivers mail. */
const ORDERED_AT_ONCE = 500;

/** Exit 1 when one of the messages could not be changed. */
export async function queueChange(
  action: ChangeAction,
  ids: readonly string[],
  options: ChangeOptions,
): Promise<number> {
  const named = [ids.length > 0, isFiltered(options), options.all];
  if (named.filter(Boolean).length !== 1) {
    throw new CommandError(
      "name messages by their ids, by filters, or all of them with --all",
      EXIT.usage,
    );
  }
  const only = recipientOf(options);
  const filter = filterOf(options, systemClock.now());
  const place = await findQueue(options.config);
  const wanted = ids.length > 0 ? ids : await selected(action, place.relay, filter);
  const report = new Report(action, options, ids.length > 0);
  if (wanted.length > 0) {
    await using queue = new ReachedQueue(place);
    for (let from = 0; from < wanted.length; from += ORDERED_AT_ONCE) {
      const some = wanted.slice(from, from + ORDERED_AT_ONCE);
      const { changes } = await queue.carryOut(orderOf(action, some, only));
      report.add(changes);
    }
  }
  return report.end();
}

function orderOf(
  action: ChangeAction,
  ids: readonly string[],
  only: AddressFilter | undefined,
): ChangeOrder {
  return only === undefined ? { action, ids } : { action, ids, only };
}

async function selected(
  action: ChangeAction,
  { spool_directory: directory }: { readonly spool_directory: string },
  filter: Filter,
): Promise<readonly string[]> {
  await using queue = await openQueue(directory);
  if (queue === undefined) return [];
  const ids = (await Array.fromAsync(queue.ids(filter))).flat();
  if (action !== "retry" || filter.state === "active") return ids;
  // A message that is under attempt need not be tried again.
  const active = new Set((await Array.fromAsync(queue.ids({ ...filter, state: "active" }))).flat());
  return ids.filter((id) => !active.has(id));
}

const DONE: Readonly<Record<ChangeAction, string>> = {
  retry: "due now",
  freeze: "frozen",
  thaw: "thawed",
  bounce: "bounced",
  remove: "removed",
};

const TROUBLE = {
  unknown: "no such message",
  active: "is being delivered just now, try again later",
  held: "is for a domain on hold: relayctl queue release",
  failed: "cannot be bounced, the log of the relay says why",
} as const;

/** The explanation of the result "unchanged". */
const UNCHANGED: Readonly<Record<ChangeAction, string>> = {
  retry: "no recipient that is meant waits",
  freeze: "no recipient that is meant waits",
  thaw: "no recipient that is meant is frozen",
  bounce: "no recipient that is meant is left",
  remove: "is not there any more",
};

class Report {
  readonly #action: ChangeAction;
  readonly #json: boolean;
  /** The messages were named by ids. Then each that was not changed is reported. */
  readonly #areNamed: boolean;
  #done = 0;
  #held = 0;
  #exitCode: number = EXIT.ok;

  constructor(action: ChangeAction, { json }: ChangeOptions, areNamed: boolean) {
    this.#action = action;
    this.#json = json;
    this.#areNamed = areNamed;
  }

  add(changes: readonly Change[]): void {
    for (const { id, result } of changes) {
      if (result === "done") this.#done++;
      if (result === "held") this.#held++;
      const isPassedOver = !this.#areNamed && (result === "unchanged" || result === "held");
      if (this.#json) process.stdout.write(`${jsonLine({ id, result })}\n`);
      if (result === "done" || isPassedOver) continue;
      this.#exitCode = EXIT.notDone;
      if (this.#json) continue;
      warn(`${id}: ${result === "unchanged" ? UNCHANGED[this.#action] : TROUBLE[result]}`);
    }
  }

  end(): number {
    const messages = this.#done === 1 ? "message" : "messages";
    const held = this.#held === 0 ? "" : `, ${this.#held} on hold`;
    const what = `${this.#done} ${messages} ${DONE[this.#action]}${held}`;
    if (!this.#json) process.stdout.write(`${what}\n`);
    return this.#exitCode;
  }
}
