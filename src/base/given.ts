// Fields that may be missing.

/**
 * An object while it is built. On the way of every message the fields that may be missing are set one by one: objects
 * made by spreading others cost ten times as much.
 */
export type Draft<T> = { -readonly [K in keyof T]: T[K] };

/** `T` with each field that may be undefined made optional, and never undefined. */
type Given<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Returns `fields` without those that are undefined, in the same order. */
export function given<T extends object>(fields: T): Given<T>;
export function given(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const defined: Record<string, unknown> = {};
  for (const key in fields) {
    if (fields[key] !== undefined) defined[key] = fields[key];
  }
  return defined;
}
