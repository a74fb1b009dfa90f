// The text of invitations and appointments (RFC 5545): summary, places, people, descriptions.

const LINE =
  /^(?:SUMMARY|LOCATION|DESCRIPTION|COMMENT|CONTACT|CATEGORIES|RESOURCES|ATTENDEE|ORGANIZER)(?=[;:])(.*)$/gim;

export function calendarText(calendar: string): string {
  const lines: string[] = [];
  for (const [, rest = ""] of calendar.replaceAll(/\r?\n[ \t]/g, "").matchAll(LINE)) {
    const colon = valueStart(rest);
    const name = /;CN=(?:"([^"]*)"|([^;:"]*))/i.exec(rest.slice(0, colon));
    const value = rest
      .slice(colon)
      .trim()
      .replace(/^mailto:/i, "");
    lines.push(`${name?.[1] ?? name?.[2] ?? ""} ${unescaped(value)}`.trim());
  }
  return lines.join("\n");
}

/** The position after the first colon outside of quotation marks. */
function valueStart(rest: string): number {
  let isQuoted = false;
  for (let at = 0; at < rest.length; at++) {
    const char = rest[at];
    if (char === '"') isQuoted = !isQuoted;
    else if (char === ":" && !isQuoted) return at + 1;
  }
  return rest.indexOf(":") + 1;
}

function unescaped(value: string): string {
  return value.replaceAll(/\\(.)/g, (_all, char: string) =>
    char === "n" || char === "N" ? "\n" : char,
  );
}
