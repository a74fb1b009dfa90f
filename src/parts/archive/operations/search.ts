// search: the newest messages that match a query, each with the path of its file.

import type { ListedMessage } from "../../../archive/archive.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { ArchivedMessage } from "../model/message.ts";
import type { Condition } from "../search/condition.ts";
import { isZone } from "../search/days.ts";
import type { Page } from "../search/find.ts";
import { parseImapSearch } from "../search/imap.ts";
import { parseQuery } from "../search/query.ts";
import { Order } from "./orders.ts";
import { operation } from "../service/operation.ts";
import type { Archive } from "../service/archive.ts";

export interface SearchOrder {
  /** Empty: the newest messages. */
  readonly query: string;
  /** The query consists of search keys of IMAP. */
  readonly imap?: boolean;
  /** Only messages of these accounts. Absent: of all. */
  readonly accounts?: readonly string[] | undefined;
  /** The reader's time zone, as an IANA name. Days of the query begin and end there. */
  readonly zone: string;
  readonly limit: number;
  /** Only messages that are older than the message with this id. */
  readonly before?: number | undefined;
}

export function isListed(value: object): value is ListedMessage {
  return "id" in value && "subject" in value && "path" in value;
}

/** Messages that are read from the index at once. */
const PAGE = 200;
/** Milliseconds that a page may take. */
const TIME = 30_000;

export const search = operation({
  verb: "search",
  access: "read",
  read: readSearchOrder,
  async *run(archive, order, signal) {
    const condition = conditionOf(order, archive.clock.now());
    let { before } = order;
    for (let left = order.limit; left > 0;) {
      const limit = Math.min(left, PAGE);
      const messages = await find(archive, condition, { before, limit, signal });
      for (const message of messages) yield await listed(archive, message);
      if (messages.length < limit) return;
      left -= limit;
      before = messages.at(-1)?.id;
    }
  },
});

async function find(
  archive: Archive,
  condition: Condition,
  page: Page & { readonly signal: AbortSignal },
) {
  const late = AbortSignal.timeout(TIME);
  try {
    const signal = AbortSignal.any([page.signal, late]);
    return await archive.index.find(condition, { ...page, signal });
  } catch (error) {
    if (error !== late.reason) throw error;
    const what = `the search was ended after ${TIME / 1000} s; add a word, an account or days`;
    throw new CommandError(what, EXIT.unavailable);
  }
}

export async function listed(archive: Archive, message: ArchivedMessage): Promise<ListedMessage> {
  const { id, account, folder, from, to, subject, size, attachments } = message;
  const date = new Date(message.deliveredAt).toISOString();
  const path = (await archive.index.pathOf(message)) ?? null;
  return { id, account, folder, date, from, to, subject, size, attachments, path };
}

/** Throws CommandError (64) with what is wrong in the query. */
function conditionOf({ query, imap, accounts, zone }: SearchOrder, now: number): Condition {
  const parse = imap ? parseImapSearch : parseQuery;
  const parsed = query === "" ? { condition: EVERYTHING } : parse(query, { now, zone });
  if ("problem" in parsed) throw new CommandError(parsed.problem, EXIT.usage);
  if (accounts === undefined) return parsed.condition;
  const own = accounts.map((account): Condition => ({ kind: "account", account }));
  return { kind: "all", of: [{ kind: "any", of: own }, parsed.condition] };
}

const EVERYTHING: Condition = { kind: "all", of: [] };

function readSearchOrder(given: unknown): SearchOrder {
  const order = new Order(given);
  const zone = order.text("zone");
  if (!isZone(zone)) throw new CommandError(`there is no time zone "${zone}"`, EXIT.usage);
  return {
    query: order.optionalText("query") ?? "",
    imap: order.flag("imap"),
    accounts: order.accounts(),
    zone,
    limit: order.whole("limit"),
    before: order.optionalWhole("before"),
  };
}
