// Results that are returned directly when everything is in memory, without a promise.

/** The value itself if it is known at once, so that the hot path does not wait for a turn of the event loop. */
export type MaybePromise<T> = T | Promise<T>;
