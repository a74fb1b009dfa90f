// What the archive answers, as the pages use it.

import type { ListedMessage } from "../../archive/archive.ts";
import { isTable } from "../../base/table.ts";

/** A message of a list. */
export type Found = Omit<ListedMessage, "path">;

export interface Attachment {
  /** From 1. */
  readonly number: number;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** The Content-ID by which the HTML shows it; "" for none. */
  readonly contentId: string;
}

/** A message as it is read. */
export interface Shown extends Found {
  readonly text: string;
  /** As the sender wrote it: not harmless. */
  readonly html: string;
  readonly parts: readonly Attachment[];
  /** Why the message could not be read whole; "" if it was. */
  readonly flaw: string;
}

export function foundIn(value: object): Found {
  const row = isTable(value) ? value : {};
  const names = row["attachments"];
  return {
    id: Number(row["id"]),
    account: textIn(row["account"]),
    folder: textIn(row["folder"]),
    date: textIn(row["date"]),
    from: textIn(row["from"]),
    to: textIn(row["to"]),
    subject: textIn(row["subject"]),
    size: Number(row["size"]),
    attachments: Array.isArray(names) ? names.map(textIn) : [],
  };
}

export function shownIn(value: object): Shown {
  const row = isTable(value) ? value : {};
  const parts = Array.isArray(row["parts"]) ? row["parts"].filter(isTable) : [];
  return {
    ...foundIn(value),
    text: textIn(row["text"]),
    html: textIn(row["html"]),
    flaw: textIn(row["flaw"]),
    parts: parts.map((part) => ({
      number: Number(part["number"]),
      name: textIn(part["name"]),
      type: textIn(part["type"]),
      size: Number(part["size"]),
      contentId: textIn(part["contentId"]),
    })),
  };
}

function textIn(value: unknown): string {
  return typeof value === "string" ? value : "";
}
