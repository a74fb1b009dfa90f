// Names in an export: safe on every file system, the same in every run, and each of them once.

import { createHash } from "node:crypto";
import { pathOfFolder, safeName } from "../formats/folder-path.ts";
import type { ExportedMessage } from "./exported-message.ts";

export interface Layout {
  /** All messages are of one account, so no directory names it. */
  readonly isFlat: boolean;
  /** The question that the export answers. */
  readonly query: string;
}

const SUBJECT_MAX = 60;
const UNIQUE = 16;

/** "INBOX/20260101-000000 Hello 0123456789abcdef.eml", below the account unless the layout is flat. */
export function emlPath(message: ExportedMessage, { isFlat }: Layout): string {
  const { account, folder, deliveredAt, name, subject } = message;
  const time = new Date(deliveredAt)
    .toISOString()
    .replaceAll(/[-:]|\..*/g, "")
    .replace("T", "-");
  const unique = createHash("sha256").update(name).digest("hex").slice(0, UNIQUE);
  const words = [time, plain(subject), unique].filter((word) => word !== "");
  const path = `${pathOfFolder(folder)}/${words.join(" ")}.eml`;
  return isFlat ? path : `${safeName(account)}/${path}`;
}

/** Letters, digits and what no file system minds. */
function plain(subject: string): string {
  const text = subject
    .normalize()
    .replaceAll(/[^\p{L}\p{M}\p{N}_+=@'(),-]+/gu, " ")
    .trim();
  return Array.from(text).slice(0, SUBJECT_MAX).join("").trim();
}
