// Exports that do not go smoothly: messages that go, move or change meanwhile, and runs that are cut off.

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, test } from "node:test";
import {
  EXPORT_FORMATS,
  type ExportCounts,
  type ExportFormat,
  exportMessages,
  OutputTaken,
  presentPath,
} from "../../../../src/parts/archive/export/export.ts";
import { filesBelow, type Stored, storeMessages } from "../../../support/archive-files.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

interface Archive {
  readonly root: string;
  readonly out: string;
  readonly messages: readonly Stored[];
}

function archive(count = 4): Archive {
  const directory = temporaryDirectory();
  const root = join(directory, "mail");
  const contents = Array.from({ length: count }, (_, index) => ({
    content: Buffer.from(`Subject: ${index}\n\nFrom ${"x".repeat(index * 1000)}\n`),
    folder: "INBOX",
    time: 1e12 + index * 1000,
  }));
  mkdirSync(root);
  return {
    root,
    out: join(directory, "out"),
    messages: storeMessages(root, "a@example.com", contents),
  };
}

interface Told extends ExportCounts {
  readonly told: readonly string[];
}

interface Run {
  readonly query?: string;
  /** Called before the message is exported. */
  readonly before?: (message: Stored) => void;
}

async function run(
  format: ExportFormat,
  { out, root, messages }: Archive,
  { query = "all", before }: Run = {},
): Promise<Told> {
  const told: string[] = [];
  const counts = await exportMessages(
    {
      format,
      path: out,
      isFlat: true,
      query,
      messages: (async function* () {
        for (const message of messages) {
          before?.(message);
          yield message;
        }
      })(),
      pathOf: (message) => presentPath(root, message),
    },
    {
      gone: ({ name }) => told.push(`gone ${name}`),
      unreadable: ({ name }, why) => told.push(`${name}: ${why}`),
      changed: ({ name }) => told.push(`changed ${name}`),
      progress: () => undefined,
    },
  );
  return { ...counts, told };
}

function octetsIn(path: string): string[] {
  if (statSync(path).isFile()) return [readFileSync(path, "latin1")];
  return filesBelow(path).map((file) => `${basename(file)} ${readFileSync(file, "latin1")}`);
}

const MAKERS = [
  (path: string) => mkdirSync(path),
  (path: string) => writeFileSync(path, "mine"),
  (path: string) => symlinkSync("/nowhere", path),
];

for (const format of EXPORT_FORMATS) {
  describe(format, () => {
    test("messages that are deleted, moved, changed or no files", async () => {
      const place = archive(5);
      const [gone, moved, changed, link] = place.messages;
      assert.ok(gone && moved && changed && link);
      const { exported, told } = await run(format, place, {
        before(message) {
          if (message === gone) rmSync(gone.path);
          if (message === moved) {
            const cur = join(dirname(dirname(moved.path)), "cur");
            renameSync(moved.path, join(cur, `${moved.name}:2,RS`));
          }
          if (message === changed) writeFileSync(changed.path, "other");
          if (message !== link) return;
          rmSync(link.path);
          symlinkSync("/etc/passwd", link.path);
        },
      });
      assert.equal(exported, 3);
      assert.deepEqual(told.slice(0, 2), [`gone ${gone.name}`, `changed ${changed.name}`]);
      assert.match(told[2] ?? "", /ELOOP/);
      assert.equal(octetsIn(place.out).join("\n").includes("root:"), false);
    });

    test("nothing that exists is written over", async () => {
      for (const make of MAKERS) {
        const place = archive();
        make(place.out);
        await assert.rejects(run(format, place), OutputTaken);
      }
    });

    test("no message: nothing is made", async () => {
      const place = archive(0);
      assert.equal((await run(format, place)).exported, 0);
      assert.deepEqual(readdirSync(dirname(place.out)), ["mail"]);
    });

    test("a run that was cut off, and the same again", async () => {
      const place = archive();
      const cut = (message: Stored): void => {
        if (message === place.messages[2]) throw new Error("cut");
      };
      await assert.rejects(run(format, place, { before: cut }), /cut/);
      assert.equal(existsSync(place.out), false);
      assert.equal((await run(format, place)).exported, 4);
      const whole = { ...place, out: `${place.out}2` };
      await run(format, whole);
      assert.deepEqual(octetsIn(place.out), octetsIn(whole.out));
      assert.deepEqual(readdirSync(dirname(place.out)).toSorted(), ["mail", "out", "out2"]);
    });

    test("is for its owner alone", async () => {
      const place = archive();
      await run(format, place);
      assert.equal(statSync(place.out).mode & 0o077, 0);
    });
  });
}

test("PATH that is made while the export runs is not written over", async () => {
  for (const format of EXPORT_FORMATS) {
    const place = archive();
    const make = (message: Stored): void => {
      if (message === place.messages[3]) writeFileSync(place.out, "mine");
    };
    await assert.rejects(run(format, place, { before: make }), OutputTaken);
    assert.equal(readFileSync(place.out, "utf8"), "mine");
  }
});

test("a directory that was cut off goes on only with the same query and format", async () => {
  const place = archive();
  const cut = (message: Stored): void => {
    if (message === place.messages[2]) throw new Error("cut");
  };
  await assert.rejects(run("eml", place, { before: cut }), /cut/);
  await assert.rejects(run("eml", place, { query: "other" }), /not of this export/);
  await assert.rejects(run("maildir", place), /not of this export/);
  assert.equal((await run("eml", place)).exported, 4);
});

test("the names of .eml files are safe, and each is there once", async () => {
  const subjects = [
    "../../x",
    "a/b\\c",
    "CON",
    ".",
    "",
    "e\u0301",
    "\u202Eevil",
    "x".repeat(500),
    "a\nb\0c",
  ];
  const place = archive(100);
  const messages = place.messages.map((message, index) => ({
    ...message,
    subject: subjects[index % subjects.length] ?? "",
    deliveredAt: 1e12,
  }));
  await run("eml", { ...place, messages });
  const files = filesBelow(join(place.out, "INBOX")).map((file) => basename(file));
  assert.equal(files.length, 100);
  for (const file of files) {
    assert.match(file, /^20010909-014640 (?:[\p{L}\p{M}\p{N}_+=@'(),-]+ )*[0-9a-f]{16}\.eml$/u);
  }
});
