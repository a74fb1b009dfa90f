// The recipients of one attempt on their way through the chain: side by side, and none waits long for another.
//
// Invariant: so many are under way at once, that many slow ones hold up the others by a moment each, and all messages
// together ask no more than a bounded number of questions.

import type { Clock } from "../base/clock.ts";

/** Recipients of one message that are routed at once. */
const AT_ONCE = 20;
/** Who takes longer waits for somebody else's DNS: another one begins in its place; in ms. */
const MOMENT = 100;
/** Of those that wait, in all messages. */
const SLOW_MAX = 1000;

/** What all attempts share. */
export interface Pool {
  /** Recipients that take long. */
  slow: number;
}

/** Calls `one` for each. Rejects with the first error of theirs, when all have ended. */
export async function routeAll<T>(
  all: readonly T[],
  { pool, clock }: { readonly pool: Pool; readonly clock: Clock },
  one: (item: T) => Promise<void>,
): Promise<void> {
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
    // Whoever fails is found at the end.
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
