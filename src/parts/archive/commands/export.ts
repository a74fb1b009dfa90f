// relayctl archive export: the messages that match a query, for other programs.

import { resolve } from "node:path";
import { systemClock } from "../../../base/clock.ts";
import { errorCode } from "../../../base/error-code.ts";
import { printable } from "../../../base/printable.ts";
import { ProgressBar } from "../../../base/progress-bar.ts";
import { print, printJson, warn } from "../../../base/terminal.ts";
import { sizeText } from "../../../base/units.ts";
import type { Given } from "../../../contract/command.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { CommandMeans } from "../../part.ts";
import {
  exists,
  type ExportCounts,
  type ExportedMessage,
  type ExportFormat,
  type ExportListener,
  exportMessages,
  OutputTaken,
  presentPath,
} from "../export/export.ts";
import type { ExportBegin, ExportValue } from "../operations/export.ts";
import { requireArchive } from "../service/settings.ts";
import { accountOf } from "./account.ts";
import { actingUser } from "./acting-user.ts";
import { askArchive } from "./ask.ts";
import { isFullDisk } from "./full-disk.ts";
import { noteAudit } from "./note-audit.ts";

interface ExportFlags extends Given {
  readonly query: string;
  readonly format: ExportFormat;
  readonly output: string;
  readonly account?: string | undefined;
}

export async function archiveExport(
  { account: written, format, json, output, query }: ExportFlags,
  means: CommandMeans,
): Promise<number> {
  const account = written === undefined ? undefined : accountOf(written);
  const configuration = await means.configuration();
  const { directory } = requireArchive(configuration);
  const path = resolve(output);
  if (await exists(path)) throw new CommandError(new OutputTaken(path).message, EXIT.notDone);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const answer = askArchive(means, "export", { query, zone, account });
  const begin = await answer.next();
  if (begin.done === true || !isBegin(begin.value)) {
    throw new CommandError("no message matches the query", EXIT.notDone);
  }
  const fields = { query, format, path, ...(account === undefined ? {} : { account }) };
  await noteAudit(configuration, { act: "export", by: actingUser(), fields });
  const progress = new ProgressBar(systemClock);
  const order = {
    format,
    path,
    isFlat: begin.value.isFlat,
    query: `${query}${account === undefined ? "" : ` account:${account}`}`.slice(0, QUERY_MAX),
    messages: messagesOf(answer),
    pathOf: (message: ExportedMessage) => presentPath(directory, message),
  };
  const counts = await writeExport(order, listenerOf(progress, json), progress);
  if (json) await printJson({ path, ...counts });
  else await print(`${summaryOf(path, counts)}\n`);
  return counts.unreadable === 0 && counts.exported > 0 ? EXIT.ok : EXIT.notDone;
}

const QUERY_MAX = 2000;

async function writeExport(
  order: Parameters<typeof exportMessages>[0],
  listener: ExportListener,
  progress: ProgressBar,
): Promise<ExportCounts> {
  try {
    return await exportMessages(order, listener);
  } catch (error) {
    if (error instanceof OutputTaken) throw new CommandError(error.message, EXIT.notDone);
    if (isFullDisk(error)) {
      const isTree = order.format === "maildir" || order.format === "eml";
      const then = isTree
        ? "with more room, run the command again to go on"
        : "nothing is left of it";
      throw new CommandError(`${order.path}: the disk is full; ${then}`, EXIT.notDone);
    }
    if (["EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) {
      const why = error instanceof Error ? error.message : "";
      throw new CommandError(`cannot write ${order.path}: ${why}`, EXIT.notDone);
    }
    throw error;
  } finally {
    progress.clear();
  }
}

async function* messagesOf(answer: AsyncIterable<object>): AsyncGenerator<ExportedMessage> {
  for await (const value of answer) if (isValue(value)) yield value;
}

function isBegin(value: object): value is ExportBegin {
  return "isFlat" in value && typeof value.isFlat === "boolean";
}

function isValue(value: object): value is ExportValue {
  return "sha256" in value && "path" in value;
}

function listenerOf(progress: ProgressBar, json: boolean): ExportListener {
  const tell = ({ account, folder, name }: ExportedMessage, what: string): void => {
    progress.clear();
    if (json) void printJson({ account, folder, name, what });
    else warn(`${account}, ${folder}, ${name}: ${what}`);
  };
  return {
    gone: (message) => tell(message, "was deleted while the export ran"),
    unreadable: (message, why) => tell(message, `cannot be read: ${why}`),
    changed: (message) =>
      tell(message, "is not the file that was indexed; it was exported as it is"),
    progress: ({ exported: messages, octets }) =>
      progress.show({ messages, octets, total: undefined }),
  };
}

function summaryOf(path: string, counts: ExportCounts): string {
  const { changed, exported: count, gone, octets, unreadable } = counts;
  const parts = [
    `${count} ${count === 1 ? "message" : "messages"} (${sizeText(octets)}) exported to ${path}`,
    ...(gone > 0 ? [`${gone} deleted meanwhile`] : []),
    ...(changed > 0 ? [`${changed} changed since they were indexed`] : []),
    ...(unreadable > 0 ? [`${unreadable} unreadable`] : []),
  ];
  return printable(parts.join(", "));
}
