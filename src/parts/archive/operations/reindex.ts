// reindex: makes the index again. The answer counts the messages as they are read.

import type { Clock } from "../../../base/clock.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { operation } from "../service/operation.ts";
import { Order } from "./orders.ts";

/** ms between two counts. */
const COUNT_EVERY = 1000;

export const reindex = operation({
  verb: "reindex",
  access: "write",
  read: (order) => new Order(order).optionalText("account"),
  async *run({ index, indexer, clock }, account, signal) {
    const counts: number[] = [];
    if (account !== undefined && !index.open.reader.hasAccount(account)) {
      throw new CommandError(`no account "${account}" in the index`, EXIT.notDone);
    }
    const made =
      account === undefined
        ? indexer.reindex(signal, (messages) => counts.splice(0, 1, messages))
        : indexer.reindexAccount(account, signal);
    const end = made.then(() => "made" as const);
    // The loop below throws the error.
    end.catch(() => undefined);
    while ((await Promise.race([end, later(clock)])) !== "made") {
      const messages = counts.at(-1);
      if (messages !== undefined) yield { messages };
    }
    const { messages } = await index.totals();
    yield { messages, done: true };
  },
});

function later(clock: Clock): Promise<void> {
  return new Promise((resolve) => void clock.after(COUNT_EVERY, resolve));
}
