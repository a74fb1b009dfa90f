// A random order for each message, for hosts of equal preference.

/** A copy in which every order is equally likely (Fisher and Yates). */
export function shuffled<T>(items: readonly T[]): readonly T[] {
  const result: T[] = [];
  for (const item of items) {
    const place = Math.floor(Math.random() * (result.length + 1));
    const moved = result[place];
    if (moved !== undefined) result.push(moved);
    result[place] = item;
  }
  return result;
}
