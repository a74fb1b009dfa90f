// Results that are returned directly when everything is in memory, without a promise.

/** The value itself if it is known at once, so that the hot path does not wait for a turn of the event loop. */
export type MaybePromise<T> = T | Promise<T>;

/** Waits for both, if there is anything to wait for. */
export function together(one: MaybePromise<void>, other: MaybePromise<void>): MaybePromise<void> {
  if (!(one instanceof Promise)) return other;
  return other instanceof Promise ? Promise.all([one, other]).then(() => undefined) : one;
}
