// Answers that are there at once when everything is in memory.

/** Answers at once when everything is in memory, so the hot path does not wait a turn of the event loop. */
export type MaybePromise<T> = T | Promise<T>;
