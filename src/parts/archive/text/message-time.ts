// Dates as messages have them: RFC 5322, its obsolete forms, and what broken programs write.

const MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec";
const LONGEST = 200;

/** Hours east of UTC (RFC 5322 4.3, and some that are common). */
const ZONES: Readonly<Record<string, number>> = {
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
  BST: 1,
  MET: 1,
  CET: 1,
  MEZ: 1,
  CEST: 2,
  MEST: 2,
  EET: 2,
  EEST: 3,
  MSK: 3,
  IST: 5.5,
  JST: 9,
  KST: 9,
  AEST: 10,
};

const TIME = String.raw`(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2}))?(?:\.\d+)?(?:\s*([AaPp])\.?[Mm]\.?)?`;
const DAY_FIRST = new RegExp(
  String.raw`(\d{1,2})[\s.-]{1,5}([A-Za-z]{3})[A-Za-z.]{0,8}[\s,.-]{1,5}(\d{2,4})\b[\s,]*(?:${TIME})?\s*(.*)`,
  "s",
);
const MONTH_FIRST = new RegExp(
  String.raw`([A-Za-z]{3})[A-Za-z.]{0,8}\s{1,5}(\d{1,2}),?\s{1,5}(?:(\d{4}),?\s{1,5})?(?:${TIME})?\s*(.*)`,
  "s",
);
const NUMBERS = new RegExp(
  String.raw`^\s*(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T\s]{1,5}${TIME})?\s*(.*)`,
  "s",
);

/** Milliseconds since the epoch. Undefined for text that is no date, or one before 1970 or after 2100. */
export function messageTime(field: string): number | undefined {
  const text = field.slice(0, LONGEST).replaceAll(/\([^()]*\)/g, " ");
  const [, day = "", month = "", year = "", ...rest] = DAY_FIRST.exec(text) ?? [];
  if (monthOf(month) > 0) return timeOf(Number(day), monthOf(month), yearOf(year), rest);
  const [, y = "", m = "", d = "", ...after] = NUMBERS.exec(text) ?? [];
  if (y !== "") return timeOf(Number(d), Number(m), Number(y), after);
  return monthFirst(text);
}

/** "Thu Jan  1 00:00:00 2026 +0100", "January 1, 2026 00:00". */
function monthFirst(text: string): number | undefined {
  const start = text.search(new RegExp(`\\b(?:${MONTHS.match(/.../g)?.join("|")})`, "i"));
  if (start < 0) return undefined;
  const [, month = "", day = "", year, ...time] = MONTH_FIRST.exec(text.slice(start)) ?? [];
  const rest = time.at(-1) ?? "";
  const late = /\b(\d{4})\b/.exec(rest.replace(/[+-]\d{4}/, ""))?.[1];
  const zone = late === undefined ? rest : rest.replace(late, " ");
  const whole = year ?? late;
  if (whole === undefined) return undefined;
  return timeOf(Number(day), monthOf(month), Number(whole), [...time.slice(0, -1), zone.trim()]);
}

/** From 1; 0 for what is no month. */
function monthOf(name: string): number {
  const at = name.length === 3 ? MONTHS.indexOf(name.toLowerCase()) : -1;
  return at < 0 || at % 3 !== 0 ? 0 : at / 3 + 1;
}

/** Years of two and three digits as RFC 5322 4.3 reads them. */
function yearOf(digits: string): number {
  const year = Number(digits);
  if (digits.length === 2) return year < 50 ? 2000 + year : 1900 + year;
  return digits.length === 3 ? 1900 + year : year;
}

/** `rest`: hour, minute, second, "a" or "p", and the zone. */
function timeOf(
  day: number,
  month: number,
  year: number,
  [hours = "0", minutes = "0", seconds = "0", half, zone = ""]: readonly (string | undefined)[],
): number | undefined {
  let hour = Number(hours);
  if (half !== undefined && hour <= 12) hour = (hour % 12) + (/[pP]/.test(half) ? 12 : 0);
  const minute = Number(minutes);
  // Second 60 is a leap second.
  const second = Math.min(Number(seconds), 59);
  if (hour > 23 || minute > 59 || Number(seconds) > 60) return undefined;
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  const isReal = new Date(time).getUTCDate() === day && month >= 1 && month <= 12;
  const moment = time - eastOf(zone.trim()) * 60_000;
  return isReal && year <= 2100 && moment >= 0 ? moment : undefined;
}

/** Minutes east of UTC. An unknown zone counts as UTC (RFC 5322 4.3). */
function eastOf(zone: string): number {
  const [, sign, hours, minutes = "0"] =
    /^(?:UTC|GMT|UT)?\s*([+-])(\d{1,2}):?(\d{2})?\b/i.exec(zone) ?? [];
  if (sign !== undefined && Number(hours) < 24 && Number(minutes) < 60) {
    return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  }
  const name = /^[A-Za-z]+/.exec(zone)?.[0].toUpperCase() ?? "";
  return (Object.hasOwn(ZONES, name) ? (ZONES[name] ?? 0) : 0) * 60;
}
