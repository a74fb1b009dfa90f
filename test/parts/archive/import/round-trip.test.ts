// What the archive exports, it imports again: the same octets, times and folders, in every format.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  EXPORT_FORMATS,
  type ExportFormat,
  exportMessages,
} from "../../../../src/parts/archive/export/export.ts";
import { type Stored, storedIn, storeMessages } from "../../../support/archive-files.ts";
import { importPaths } from "../../../support/archive-import.ts";
import { hostileContents } from "../../../support/hostile-messages.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const FOLDERS = [
  "INBOX",
  "Sent",
  "Archive/2026",
  "Übersicht & mehr",
  "v1.2",
  "a:b*?",
  "%41",
  "con.",
];
const ALICE = "alice@example.com";
const BOB = "bob@example.com";

/** A time with milliseconds, which only some formats carry. */
const START = Date.UTC(2020, 1, 29, 23, 59, 58) + 123;

function archiveIn(root: string): Stored[] {
  return storeMessages(
    root,
    ALICE,
    hostileContents().map((content, index) => ({
      content,
      folder: FOLDERS[index % FOLDERS.length] ?? "INBOX",
      time: START + index * 86_400_000,
    })),
  );
}

async function exported(
  format: ExportFormat,
  path: string,
  messages: readonly Stored[],
  isFlat = true,
): ReturnType<typeof exportMessages> {
  const paths = new Map<object, string>(messages.map((message) => [message, message.path]));
  return exportMessages(
    {
      format,
      path,
      isFlat,
      query: "everything",
      messages: (async function* () {
        yield* messages;
      })(),
      pathOf: async (message) => paths.get(message),
    },
    {
      gone: () => assert.fail("gone"),
      unreadable: (_, why) => assert.fail(why),
      changed: () => assert.fail("changed"),
      progress: () => undefined,
    },
  );
}

for (const format of EXPORT_FORMATS) {
  describe(format, () => {
    test("gives back every message of one account", async () => {
      const root = temporaryDirectory();
      const messages = archiveIn(join(root, "from"));
      const out = join(root, "out");
      const counts = await exported(format, out, messages);
      assert.equal(counts.exported, messages.length);
      const imported = await importPaths(join(root, "to"), [out]);
      assert.deepEqual(imported.refusals, []);
      assert.equal(imported.imported, messages.length);
      assert.deepEqual(storedIn(join(root, "to"), BOB), storedIn(join(root, "from"), ALICE));
    });

    test("gives back two accounts", async () => {
      const root = temporaryDirectory();
      const messages = archiveIn(join(root, "from"));
      const half = messages
        .slice(0, 5)
        .map((message) => ({ ...message, account: "eve@b.example" }));
      const out = join(root, "out");
      await exported(format, out, [...half, ...messages.slice(5)], false);
      const imported = await importPaths(join(root, "to"), [out]);
      assert.equal(imported.imported, messages.length);
      assert.deepEqual(storedIn(join(root, "to"), BOB), storedIn(join(root, "from"), ALICE));
    });

    test("imports nothing twice", async () => {
      const root = temporaryDirectory();
      const out = join(root, "out");
      await exported(format, out, archiveIn(join(root, "from")));
      mkdirSync(join(root, "to"));
      const imported = await importPaths(join(root, "to"), [out, out]);
      assert.equal(imported.duplicates, imported.imported);
    });
  });
}
