// What a transport gives, if it heeds the signal that tells it to stop.

import type { Clock, Timer } from "../base/clock.ts";

/** A transport that has been told to stop may put its affairs in order for so long, in ms. */
export const LAST_WORDS = 5000;

/** What `work` gives; throws when it goes on for longer than `lastWords` although the signal has told it to stop. */
export function heeding<T>(
  signal: AbortSignal,
  clock: Clock,
  work: Promise<T>,
  lastWords = LAST_WORDS,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: Timer | undefined;
    const onAbort = () => {
      timer = clock.after(lastWords, () =>
        reject(new Error("went on after its deadline", { cause: signal.reason })),
      );
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
    work.then(resolve, reject).finally(() => {
      timer?.cancel();
      signal.removeEventListener("abort", onAbort);
    });
  });
}
