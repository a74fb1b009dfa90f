// Readers of database values. The values are not trusted: a disk may have changed them since they were written.

export type Value = unknown;
export type Row = Readonly<Record<string, Value>>;

export function numberOf(value: Value): number {
  if (typeof value !== "number") throw new TypeError(`not a number in the spool: ${String(value)}`);
  return value;
}

/** Returns the value if it can be written into a table. Throws for every other type. */
export function columnValueOf(value: Value): string | number | null | Uint8Array {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`no value of a column: ${typeof value}`);
}

export function textOf(value: Value): string {
  if (typeof value !== "string") throw new TypeError("not a text in the spool");
  return value;
}
