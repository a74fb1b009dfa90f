// The From_ line of an mbox (RFC 4155): "From SENDER DATE [MORE]". Other programs ignore what stands behind the date.
// There our exports keep what an mbox cannot say otherwise, so that an import gives back the same file in the same folder.

export interface FromLine {
  readonly sender: string;
  /** Milliseconds since the epoch; undefined if the line has no date that can be read. */
  readonly time: number | undefined;
  /** Absent: the inbox, or the mbox is not ours. */
  readonly folder?: string | undefined;
  /** The message has no line end after its last line. The one that the mbox needs there is not part of it. */
  readonly isUnended: boolean;
  /** A pair of CR and LF in the message belongs to it, and is not the line end of this mbox. */
  readonly keepsCrlf: boolean;
}

/** Octets. A longer line is text of a message. */
export const FROM_LINE_MAX = 1024;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const MONTH = `(?<month>${MONTHS.join("|")})`;
const TIME = String.raw`(?<hour>\d\d?):(?<minute>\d\d)(?::(?<second>\d\d))?`;
const ZONE = String.raw`(?:[+-]\d{4}|[A-Z]{1,5})`;

/** "Thu Jan  1 00:00:00 2026", with a zone before or behind the year. */
const CTIME = String.raw`${DAY} +${MONTH} +(?<day>\d\d?) +${TIME}(?: +(?<zone>${ZONE}))? +(?<year>\d{4})(?: +(?<late>${ZONE}))?`;
/** "Thu, 1 Jan 2026 00:00:00 +0000". */
const RFC_5322 = String.raw`${DAY}, +(?<day>\d\d?) +${MONTH} +(?<year>\d{4}) +${TIME}(?: +(?<zone>${ZONE}))?`;
const FORMS = [CTIME, RFC_5322].map(
  (date) => new RegExp(String.raw`^From (?:(?<sender>\S.*?) +)?${date}(?: +(?<more>\S.*))?$`),
);

/** The parts of a line without its line end; undefined if it is not of the form. One character for each octet. */
export function parseFromLine(line: string): FromLine | undefined {
  for (const form of FORMS) {
    const parts = form.exec(line.trimEnd())?.groups;
    if (parts === undefined) continue;
    return { sender: parts["sender"] ?? "", time: timeOf(parts), ...moreOf(parts["more"] ?? "") };
  }
  return undefined;
}

/** The line of a file that begins with "From " and goes on in a way of its own. */
export function looseFromLine(line: string): FromLine {
  return { sender: line.slice(5).trim(), time: undefined, isUnended: false, keepsCrlf: false };
}

interface NewFromLine extends FromLine {
  readonly time: number;
  readonly folder: string;
  /** The folder is named even if it is the inbox. */
  readonly namesInbox?: boolean;
}

/** The line with its line end. `sender` may be any text. */
export function fromLineText(line: NewFromLine): string {
  const sender = line.sender.replaceAll(/[^!-~]/g, "") || "MAILER-DAEMON";
  const namesFolder = line.folder !== "INBOX" || line.namesInbox === true;
  const more = [
    ...(namesFolder ? [`folder=${encodeURIComponent(line.folder.toWellFormed())}`] : []),
    ...(line.isUnended ? ["end=open"] : []),
    ...(line.keepsCrlf ? ["crlf=kept"] : []),
  ];
  return `${["From", sender.slice(0, SENDER_MAX), ctime(line.time), ...more].join(" ")}\n`;
}

/** An address has at most 254 octets (RFC 5321 4.5.3.1.3). */
const SENDER_MAX = 254;

function ctime(time: number): string {
  const date = new Date(time);
  const day = `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]}`;
  const clock = date.toISOString().slice(11, 19);
  return `${day} ${String(date.getUTCDate()).padStart(2)} ${clock} ${date.getUTCFullYear()}`;
}

/** Without a zone the time is UTC, as RFC 4155 demands. */
function timeOf(parts: Readonly<Record<string, string | undefined>>): number | undefined {
  const month = MONTHS.indexOf(parts["month"] ?? "");
  const number = (name: string): number => Number(parts[name] ?? 0);
  const [day, hour, minute, second] = [
    number("day"),
    number("hour"),
    number("minute"),
    number("second"),
  ];
  if (day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined;
  const time = Date.UTC(number("year"), month, day, hour, minute, second);
  return time - eastOf(parts["zone"] ?? parts["late"] ?? "");
}

/** The names of RFC 5322 4.3, in hours. */
const NAMED: Readonly<Record<string, number>> = {
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
  CET: 1,
  CEST: 2,
};

/** Milliseconds east of UTC. */
function eastOf(zone: string): number {
  const numeric = /^([+-])(\d\d)(\d\d)$/.exec(zone);
  if (numeric === null) return (NAMED[zone] ?? 0) * 3_600_000;
  const minutes = Number(numeric[2]) * 60 + Number(numeric[3]);
  return (numeric[1] === "-" ? -minutes : minutes) * 60_000;
}

function moreOf(more: string): Pick<FromLine, "folder" | "isUnended" | "keepsCrlf"> {
  const values = new Map(
    more.split(" ").flatMap((word) => {
      const [, name, value] = /^(\w+)=(\S*)$/.exec(word) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    }),
  );
  return {
    folder: decoded(values.get("folder")),
    isUnended: values.get("end") === "open",
    keepsCrlf: values.get("crlf") === "kept",
  };
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
