// status: what the archive holds, and how far the index is.

import { given } from "../../../base/given.ts";
import type { Archive } from "../service/archive.ts";
import { retentionStatus } from "./retention-status.ts";
import { operation } from "../service/operation.ts";

export const status = operation({
  verb: "status",
  access: "read",
  read: () => ({}),
  async *run(archive) {
    const { directory, state } = archive.settings;
    yield {
      directory,
      state,
      ...(await indexStatus(archive)),
      ...(await retentionStatus(archive)),
    };
  },
});

/** `behind` and `unread` are known only to the process that writes. Times are null if there is none. */
async function indexStatus({ index, indexing }: Archive): Promise<object> {
  if (index.fault !== undefined) return { fault: index.fault };
  const { reader } = index.open;
  const { accounts, messages, bytes, oldest, newest } = await index.totals();
  return {
    accounts,
    messages,
    bytes,
    oldest: timeOf(oldest),
    newest: timeOf(newest),
    index_bytes: index.octets,
    waiting: reader.waiting,
    walked: timeOf(indexing?.walkedAt ?? reader.walkedAt),
    ...(indexing && {
      behind: indexing.isBehind,
      unread: indexing.unread,
      ...given({ paused: indexing.pause }),
    }),
  };
}

function timeOf(time: number | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
