// Dates as mail writes them (RFC 5322 3.3).

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** "Thu, 01 Jan 2026 00:00:00 +0000", in the local time zone. `now` is in milliseconds since the epoch. */
export function messageDate(now: number): string {
  const date = new Date(now);
  const day = `${DAYS[date.getDay()]}, ${two(date.getDate())} ${MONTHS[date.getMonth()]}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const east = -date.getTimezoneOffset();
  const zone = `${two(Math.floor(Math.abs(east) / 60))}${two(Math.abs(east) % 60)}`;
  return `${day} ${date.getFullYear()} ${time} ${east < 0 ? "-" : "+"}${zone}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
