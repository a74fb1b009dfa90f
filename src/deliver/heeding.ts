// Waits for a transport, and gives up if it does not stop after the signal tells it to.

import type { Clock, Timer } from "../base/clock.ts";

/** Milliseconds that a transport may take to finish after the signal. */
export const LAST_WORDS = 5000;

/** The result of `work`. Rejects if `work` goes on for more than `lastWords` ms after the signal. */
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
