// Fields that may be missing.

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
