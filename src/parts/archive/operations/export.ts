// export: the messages that match a query, as an export needs them.

import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { ArchivedMessage } from "../model/message.ts";
import type { Condition } from "../search/condition.ts";
import { parseQuery } from "../search/query.ts";
import type { Archive } from "../service/archive.ts";
import { operation } from "../service/operation.ts";
import { Order } from "./orders.ts";

/** The first value of the answer; there is none if no message matches. */
export interface ExportBegin {
  /** All messages are of one account. */
  readonly isFlat: boolean;
}

/** Every further value. */
export type ExportValue = Pick<
  ArchivedMessage,
  "account" | "folder" | "name" | "deliveredAt" | "size" | "sha256" | "subject"
> & {
  /** Null if the file is gone. */
  readonly path: string | null;
};

const PAGE = 500;

export const exportMessages = operation({
  verb: "export",
  access: "read",
  read(given) {
    const order = new Order(given);
    return {
      query: order.text("query"),
      zone: order.text("zone"),
      account: order.optionalText("account"),
    };
  },
  async *run(archive, { account, query, zone }, signal) {
    const parsed = parseQuery(query, { now: archive.clock.now(), zone });
    if ("problem" in parsed) throw new CommandError(parsed.problem, EXIT.usage);
    const condition: Condition =
      account === undefined
        ? parsed.condition
        : { kind: "all", of: [{ kind: "account", account }, parsed.condition] };
    let messages = await archive.index.find(condition, { limit: PAGE, signal });
    const [first] = messages;
    if (first === undefined) return;
    yield { isFlat: account !== undefined || (await isAllOf(archive, first, condition, signal)) };
    while (messages.length > 0) {
      for (const message of messages) yield await valueOf(archive, message);
      const before = messages.at(-1)?.id;
      if (before === undefined) return;
      messages = await archive.index.find(condition, { limit: PAGE, before, signal });
    }
  },
});

async function isAllOf(
  { index }: Archive,
  { account }: ArchivedMessage,
  condition: Condition,
  signal: AbortSignal,
): Promise<boolean> {
  const other: Condition = { kind: "not", of: { kind: "account", account } };
  const found = await index.find({ kind: "all", of: [condition, other] }, { limit: 1, signal });
  return found.length === 0;
}

async function valueOf({ index }: Archive, message: ArchivedMessage): Promise<ExportValue> {
  const { account, deliveredAt, folder, name, sha256, size, subject } = message;
  const path = (await index.pathOf(message)) ?? null;
  return { account, deliveredAt, folder, name, sha256, size, subject, path };
}
