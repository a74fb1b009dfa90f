// The postmaster's list in memory, see ../listed.ts.

import { listedMax, shortened } from "../engine/listed.ts";
import type { ListedWhy, ListEntry, PostmasterList } from "../spool.ts";

export class MemoryList {
  #entries: { readonly number: number; readonly entry: ListEntry }[] = [];
  readonly #more = new Map<ListedWhy, number>();
  #last = 0;

  add(entries: readonly ListEntry[]): void {
    for (const entry of entries.map(shortened)) {
      const { why } = entry;
      const hasRoom = this.#entries.filter((one) => one.entry.why === why).length < listedMax(why);
      if (hasRoom) this.#entries.push({ number: ++this.#last, entry });
      else this.#more.set(why, (this.#more.get(why) ?? 0) + 1);
    }
  }

  read(whys: readonly ListedWhy[]): PostmasterList {
    const wanted = this.#entries.filter(({ entry }) => whys.includes(entry.why));
    return {
      whys,
      entries: wanted.map(({ entry }) => entry),
      more: Object.fromEntries([...this.#more].filter(([why]) => whys.includes(why))),
      last: wanted.at(-1)?.number ?? 0,
    };
  }

  /** Removes the entries that were sent. Entries that came later stay. */
  forget({ whys, more, last }: PostmasterList): void {
    this.#entries = this.#entries.filter(
      ({ number, entry }) => number > last || !whys.includes(entry.why),
    );
    for (const [why, count] of this.#more) {
      const left = count - (more[why] ?? 0);
      if (left > 0) this.#more.set(why, left);
      else this.#more.delete(why);
    }
  }
}
