// The next free id for a time of delivery.
//
// Many files may have the same time: those that a copy without times has just written. Their ids stand side by side, so
// the search for a free one starts where the last search in the same run has ended.

import type { Database } from "../../../base/durable/database.ts";
import { numberOf } from "../../../base/durable/columns.ts";
import { idAt } from "../model/ids.ts";

interface Run {
  readonly from: number;
  /** The first id after `from` that may be free. */
  free: number;
}

/** Runs that are remembered: one for each time that a bulk of files has in common. */
const RUNS_MAX = 100;

export class FreeIds {
  readonly #database: Database;
  #runs: Run[] = [];

  constructor(database: Database) {
    this.#database = database;
  }

  /** `taken` are ids that are not in the database yet. */
  next(deliveredAt: number, taken: ReadonlySet<number>): number {
    const wanted = idAt(deliveredAt);
    const run = this.#runs.find(({ from, free }) => wanted >= from && wanted < free);
    let id = this.#freeFrom(run?.free ?? wanted);
    while (taken.has(id)) id = this.#freeFrom(id + 1);
    if (run !== undefined) run.free = id + 1;
    else if (id > wanted)
      this.#runs = [{ from: wanted, free: id + 1 }, ...this.#runs].slice(0, RUNS_MAX);
    return id;
  }

  #freeFrom(id: number): number {
    if (this.#database.get("SELECT 1 FROM messages WHERE id = ?", id) === undefined) return id;
    const end = this.#database.get(
      `SELECT m.id + 1 AS free FROM messages m WHERE m.id >= ?
         AND NOT EXISTS (SELECT 1 FROM messages n WHERE n.id = m.id + 1) ORDER BY m.id LIMIT 1`,
      id,
    );
    return numberOf(end?.["free"]);
  }
}
