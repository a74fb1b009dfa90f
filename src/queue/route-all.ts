// Asks the chain for the recipients of one attempt, several at a time, so that a slow one delays the others little.
//
// Invariants:
// - Recipients under way are limited. A slow one gives up its slot after 100 ms.
// - The slow recipients of all messages together are limited. At the limit, a slow one keeps its slot.

import type { Clock } from "../base/clock.ts";

/** Recipients of one message that are routed at the same time. */
const AT_ONCE = 20;
/**
 * Milliseconds after which a recipient counts as slow, because it waits for the DNS of its domain: another one begins
 * in its slot.
 */
const MOMENT = 100;
/** Limit of slow recipients in all messages together. */
const SLOW_MAX = 1000;

/** The count that all attempts share. */
export interface Pool {
  /** Slow recipients that are under way. */
  slow: number;
}

/** Calls `one` for each item. Rejects with the first error, after all calls have ended. */
export async function routeAll<T>(
  all: readonly T[],
  { pool, clock }: { readonly pool: Pool; readonly clock: Clock },
  one: (item: T) => Promise<void>,
): Promise<void> {
  const [only] = all;
  if (only !== undefined && all.length === 1) return one(only);
  if (all.length <= AT_ONCE) {
    await settled(all.map(one));
    return;
  }
  const begun: Promise<void>[] = [];
  let fast = 0;
  let wake = nothing;
  const begin = async (item: T) => {
    let isSlow = false;
    fast += 1;
    const timer = clock.after(MOMENT, () => {
      if (pool.slow >= SLOW_MAX) return;
      isSlow = true;
      pool.slow += 1;
      fast -= 1;
      wake();
    });
    try {
      await one(item);
    } finally {
      timer.cancel();
      if (isSlow) pool.slow -= 1;
      else fast -= 1;
      wake();
    }
  };
  for (const item of all) {
    if (fast >= AT_ONCE) await new Promise<void>((resolve) => (wake = resolve));
    const ended = begin(item);
    // `settled` finds the errors at the end.
    ended.catch(() => undefined);
    begun.push(ended);
  }
  await settled(begun);
}

const nothing = (): void => undefined;

async function settled(all: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(all);
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
