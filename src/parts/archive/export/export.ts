// Messages of the archive on their way to other programs.

import { type ExportedMessage, type ExportWriter, Unreadable } from "./exported-message.ts";
import { mboxExport } from "./mbox-export.ts";
import { openMessage } from "./open-message.ts";
import { treeExport } from "./tree-export.ts";
import { zipExport } from "./zip-export.ts";

export type { ExportedMessage } from "./exported-message.ts";
export { exists } from "./output-file.ts";
export { OutputTaken } from "./output-taken.ts";
export { presentPath } from "./present-path.ts";

export const EXPORT_FORMATS = ["mbox", "maildir", "eml", "zip"] as const;

export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOrder {
  readonly format: ExportFormat;
  /** Absolute. */
  readonly path: string;
  /** All messages are of one account. */
  readonly isFlat: boolean;
  /** The question in words, account included: an export that was cut off goes on only with the same. */
  readonly query: string;
  readonly messages: AsyncIterable<ExportedMessage>;
  /** The present path of a message; undefined if it is gone. */
  pathOf(message: ExportedMessage): Promise<string | undefined>;
}

export interface ExportCounts {
  exported: number;
  octets: number;
  gone: number;
  unreadable: number;
  changed: number;
}

/** Hears what becomes of the messages that are not simply exported. */
export interface ExportListener {
  /** The message was deleted while the export ran. */
  gone(message: ExportedMessage): void;
  unreadable(message: ExportedMessage, why: string): void;
  /** It was exported as it is, and is not what the index knows. */
  changed(message: ExportedMessage): void;
  /** Called often. */
  progress(counts: Readonly<ExportCounts>): void;
}

/** Creates nothing if there is no message. Throws OutputTaken if PATH exists. */
export async function exportMessages(
  order: ExportOrder,
  listener: ExportListener,
  signal?: AbortSignal,
): Promise<ExportCounts> {
  const counts: ExportCounts = { exported: 0, octets: 0, gone: 0, unreadable: 0, changed: 0 };
  let writer: ExportWriter | undefined;
  try {
    for await (const message of order.messages) {
      signal?.throwIfAborted();
      writer ??= await writerFor(order);
      await add(writer, message, { order, counts, listener });
      listener.progress(counts);
    }
    await writer?.finish();
  } catch (error) {
    // The first error says more than one about what is left.
    await writer?.abandon().catch(() => undefined);
    throw error;
  }
  return counts;
}

function writerFor({ format, path, isFlat, query }: ExportOrder): Promise<ExportWriter> {
  const layout = { isFlat, query };
  if (format === "mbox") return mboxExport(path);
  return format === "zip" ? zipExport(path, layout) : treeExport(path, format, layout);
}

interface Export {
  readonly order: ExportOrder;
  readonly counts: ExportCounts;
  readonly listener: ExportListener;
}

async function add(
  writer: ExportWriter,
  message: ExportedMessage,
  { counts, listener, order }: Export,
): Promise<void> {
  try {
    const opened = await openMessage(message, (one) => order.pathOf(one));
    if (opened === undefined) {
      counts.gone += 1;
      return listener.gone(message);
    }
    try {
      await writer.add(opened);
      counts.exported += 1;
      counts.octets += opened.size;
      if (opened.isAsIndexed() !== false) return;
      counts.changed += 1;
      listener.changed(message);
    } finally {
      await opened.close();
    }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    counts.unreadable += 1;
    listener.unreadable(message, error.message);
  }
}
