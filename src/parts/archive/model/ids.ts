// Ids of messages. An id is the time of delivery in units of 125 ms, so ids rise with the time of delivery, also if old
// mail is imported later. If the id of a time is taken, the next free one is used: ids only ever move forward.
//
// The unit is a compromise. Full-text lists store the distances between ids, so a finer unit makes the index larger:
// a unit of 1 ms costs 3 % of the octets of the mail more. A coarser unit moves more ids.

/** Milliseconds between two ids. */
const UNIT = 125;

/** The latest time that has an id, in ms: the year 9999. */
const LATEST = 253_402_300_799_999;

/**
 * The smallest id that a message delivered at `ms` can have. Messages from before 1970, and from after 9999, share the
 * ids at either end.
 */
export function idAt(ms: number): number {
  return Math.max(1, Math.floor(Math.min(ms, LATEST) / UNIT));
}

/** The distance between the time of delivery and the time that the id stands for, in ms. */
export function shiftOf(id: number, deliveredAt: number): number {
  return deliveredAt - id * UNIT;
}

export function deliveredAtOf(id: number, shift: number): number {
  return id * UNIT + shift;
}

/** The time of delivery in ms, in SQL, of a row `m` of the table `messages`. */
export const DELIVERED_AT = `(m.id * ${UNIT} + m.shift)`;

/** The largest number of ids that mail has been moved forward by, for a shift of `mostShift` ms. */
export function idsIn(mostShift: number): number {
  return Math.ceil(mostShift / UNIT);
}
