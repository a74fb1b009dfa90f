// retain: one run of retention, and retain-plan: what it would delete.

import { join } from "node:path";
import { folderDirectoryOf } from "../model/folder-name.ts";
import { accountDirectory } from "../model/maildir-place.ts";
import type { ArchivedMessage } from "../model/message.ts";
import type { Archive } from "../service/archive.ts";
import { operation } from "../service/operation.ts";
import { Order } from "./orders.ts";

export const retainPlan = operation({
  verb: "retain-plan",
  access: "write",
  read: () => ({}),
  async *run(archive, _, signal) {
    await archive.caughtUp();
    for await (const { message, rule } of archive.retained.retention.dryRun(signal)) {
      yield { path: await pathOf(archive, message), rule, ...detailsOf(message) };
    }
  },
});

export const retain = operation({
  verb: "retain",
  access: "write",
  read: (given) => ({ by: new Order(given).text("by") }),
  async *run(archive, { by }, signal) {
    await archive.caughtUp();
    const result = { deleted: 0, octets: 0, isShort: false, nextEnd: 0 };
    await archive.audit.append([{ act: "retain", by }]);
    for await (const departure of archive.retained.retention.run(true, signal, result)) {
      const { what, message, rule, path } = departure;
      if (what === "held") continue;
      const place = path ?? (await pathOf(archive, message));
      yield {
        path: place,
        rule,
        ...(what !== "deleted" && { stays: what }),
        ...detailsOf(message),
      };
    }
    if (result.isShort) yield { missed: true };
  },
});

export function detailsOf({ account, folder, deliveredAt, size }: ArchivedMessage) {
  return { account, folder, delivered: new Date(deliveredAt).toISOString(), size };
}

/** Where the file lies, or would if nobody had read it. */
export async function pathOf(archive: Archive, message: ArchivedMessage): Promise<string> {
  const path = await archive.index.pathOf(message);
  if (path !== undefined) return path;
  const { account, folder, name } = message;
  const maildir = accountDirectory(archive.settings.directory, account);
  return join(maildir, folderDirectoryOf(folder), "new", name);
}
