// The person in front of the pages, as the users file and the request describe them.

import type { Role } from "../../users/passwd-file.ts";

export interface Reader {
  /** The address, which is also the account of the own mail. */
  readonly user: string;
  readonly role: Role;
  /** The written reason for looking at other people's mail; undefined while only the own mail is shown. */
  readonly reason: string | undefined;
  /** Whether the password must be changed first. */
  readonly mustChange: boolean;
  readonly hasSecondFactor: boolean;
  readonly manner: Manner;
}

/** How times are written for a reader. */
export interface Manner {
  /** "Europe/Berlin" */
  readonly zone: string;
  /** "de-DE" */
  readonly language: string;
}

/** Whether the role lets somebody look at other people's mail, for a written reason. */
export function isAuditor({ role }: Pick<Reader, "role">): boolean {
  return role !== "none";
}

/** The zone that the reader's browser has named, and the language that it prefers. */
export function mannerOf(zone: string | undefined, acceptLanguage: string | undefined): Manner {
  return { zone: knownZone(zone), language: knownLanguage(acceptLanguage ?? "") };
}

function knownZone(zone: string | undefined): string {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  try {
    return zone === undefined || zone.length > 64
      ? own
      : Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone;
  } catch {
    return own;
  }
}

function knownLanguage(accepted: string): string {
  for (const one of accepted.slice(0, 200).split(",")) {
    const [tag = ""] = one.split(";");
    try {
      const [known] = Intl.DateTimeFormat.supportedLocalesOf(tag.trim());
      if (known !== undefined) return known;
    } catch {
      // Not a language tag: the next one may be.
    }
  }
  return "en-GB";
}
