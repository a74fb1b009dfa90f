// The postmaster's list in the spool's database, see src/spool/listed.ts.

import type { DatabaseSync } from "node:sqlite";
import { given } from "../../base/given.ts";
import { listedMax, shortened } from "../engine/listed.ts";
import { type ListedWhy, type ListEntry, type PostmasterList } from "../spool.ts";
import { wordOf } from "./rows.ts";
import { numberOf, textOf } from "../../base/durable/columns.ts";

type Statements = Pick<DatabaseSync, "prepare">;

export function addToList(database: Statements, entries: readonly ListEntry[]): void {
  const count = database.prepare("SELECT count(*) AS n FROM listed WHERE why = ?");
  const add = database.prepare("INSERT INTO listed (why, at, entry) VALUES (?, ?, ?)");
  const addMore = database.prepare(
    `INSERT INTO listed_more (why, count) VALUES (?, 1)
     ON CONFLICT (why) DO UPDATE SET count = count + 1`,
  );
  for (const { why, at, ...texts } of entries.map(shortened)) {
    if (numberOf(count.get(why)?.["n"]) >= listedMax(why)) addMore.run(why);
    else add.run(why, at, JSON.stringify(texts));
  }
}

/** The entries for these reasons. */
export function readList(database: Statements, whys: readonly ListedWhy[]): PostmasterList {
  const wanted = whys.map(() => "?").join(", ");
  const rows = database
    .prepare(`SELECT * FROM listed WHERE why IN (${wanted}) ORDER BY number`)
    .all(...whys);
  const more = database.prepare(`SELECT * FROM listed_more WHERE why IN (${wanted})`).all(...whys);
  return {
    whys,
    entries: rows.map((row): ListEntry => {
      const { id, sender, recipient, original, status } = JSON.parse(textOf(row["entry"]));
      return {
        why: wordOf(row["why"], whys),
        at: numberOf(row["at"]),
        id: textOf(id),
        sender: textOf(sender),
        recipient: textOf(recipient),
        ...given({ original: original === undefined ? undefined : textOf(original) }),
        status: textOf(status),
      };
    }),
    more: Object.fromEntries(more.map(({ why, count }) => [wordOf(why, whys), numberOf(count)])),
    last: numberOf(rows.at(-1)?.["number"] ?? 0),
  };
}

/** Removes the entries that were sent. Entries that came later stay. */
export function forgetList(
  database: Statements,
  { whys, more, last }: Omit<PostmasterList, "entries">,
): void {
  const wanted = whys.map(() => "?").join(", ");
  database
    .prepare(`DELETE FROM listed WHERE number <= ? AND why IN (${wanted})`)
    .run(last, ...whys);
  const less = database.prepare("UPDATE listed_more SET count = count - ? WHERE why = ?");
  for (const [why, count] of Object.entries(more)) less.run(count, why);
  database.prepare("DELETE FROM listed_more WHERE count <= 0").run();
}
