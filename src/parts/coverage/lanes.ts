// Work on many items, a few at a time.

/** Calls `work` for each item, at most `lanes` at a time. Rejects with the first error, and begins no work after it. */
export async function inLanes<T>(
  items: Iterable<T> | AsyncIterable<T>,
  lanes: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = iteratorOf(items);
  const stop = new AbortController();
  const lane = async (): Promise<void> => {
    try {
      while (!stop.signal.aborted) {
        const { done, value } = await rest.next();
        if (done === true) return;
        await work(value);
      }
    } catch (error) {
      stop.abort();
      throw error;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function* iteratorOf<T>(items: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T, undefined> {
  yield* items;
  return undefined;
}
