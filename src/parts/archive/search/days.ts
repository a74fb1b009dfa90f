// Days, ages and sizes as a query writes them.

/** The moment of a search, and where the reader is. */
export interface Moment {
  /** In ms. */
  readonly now: number;
  /** An IANA name: "Europe/Berlin". Days begin and end there. */
  readonly zone: string;
}

/** A day of the calendar. `month` is 1 to 12. */
export interface Day {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

const DAY = 86_400_000;

/** Returns undefined if there is no such day. The years are 1900 to 9999. */
export function dayOf(year: number, month: number, day: number): Day | undefined {
  const date = new Date(Date.UTC(year, month - 1, day));
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isReal && year >= 1900 && year <= 9999 ? { year, month, day } : undefined;
}

/** "2026-11-30", "2026/11/30", "2026/1/5", "today", "yesterday". */
export function parseDay(text: string, moment: Moment): Day | undefined {
  if (/^today$/i.test(text)) return localDay(moment.now, moment.zone);
  if (/^yesterday$/i.test(text)) return dayAfter(localDay(moment.now, moment.zone), -1);
  const [, year, , month, day] = /^(\d{4})([-/])(\d{1,2})\2(\d{1,2})$/.exec(text) ?? [];
  return dayOf(Number(year), Number(month), Number(day));
}

export function dayAfter({ year, month, day }: Day, days = 1): Day {
  const date = new Date(Date.UTC(year, month - 1, day + days));
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
  };
}

/**
 * The first moment of the day, in ms. A day may begin at 01:00, if the clocks go forward at midnight, and may have 23 or
 * 25 hours.
 */
export function startOfDay(day: Day, zone: string): number {
  const midnight = asUtc(day);
  const starts = [midnight + DAY, midnight - DAY]
    .map((near) => midnight - offset(near, zone))
    .filter((start) => asUtc(localDay(start, zone)) >= midnight);
  return Math.min(...starts);
}

const asUtc = ({ year, month, day }: Day) => Date.UTC(year, month - 1, day);

function localDay(ms: number, zone: string): Day {
  const local = new Date(ms + offset(ms, zone));
  return {
    year: local.getUTCFullYear(),
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
  };
}

/** Milliseconds that the clocks of the zone are ahead of UTC. */
function offset(ms: number, zone: string): number {
  const parts = formatIn(zone).formatToParts(ms);
  const part = (type: Intl.DateTimeFormatPartTypes) =>
    Number(parts.find((each) => each.type === type)?.value);
  const local = Date.UTC(
    part("year"),
    part("month") - 1,
    part("day"),
    part("hour"),
    part("minute"),
    part("second"),
  );
  return local - Math.floor(ms / 1000) * 1000;
}

const formats = new Map<string, Intl.DateTimeFormat>();
const MAX_FORMATS = 50;

/** Throws RangeError if the zone is unknown. */
function formatIn(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    if (formats.size >= MAX_FORMATS) formats.clear();
    formats.set(zone, format);
  }
  return format;
}

/** Whether there is a time zone of this name. */
export function isZone(name: string): boolean {
  try {
    formatIn(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

const AGES: Readonly<Record<string, number>> = {
  h: DAY / 24,
  d: DAY,
  w: 7 * DAY,
  y: 365 * DAY,
};

/** Milliseconds of "12h", "30d", "2w", "1y". A year is 365 days. */
export function parseAge(text: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,6})([a-z])$/i.exec(text) ?? [];
  const length = AGES[unit.toLowerCase()];
  return count === undefined || length === undefined ? undefined : Number(count) * length;
}

/** Octets of "500", "64K", "5M", "1G": binary, as everywhere in the configuration. */
export function parseSize(text: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,12})([KMG]?)B?$/i.exec(text) ?? [];
  return count === undefined
    ? undefined
    : Number(count) * 1024 ** " KMG".indexOf(unit.toUpperCase() || " ");
}
