// Exports of the archive as other programs read them: Python's mailbox and zipfile, Info-ZIP's unzip.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type ExportFormat, exportMessages } from "../../src/parts/archive/export/export.ts";
import { storeMessages } from "../support/archive-files.ts";
import { hostileContents } from "../support/hostile-messages.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { missing } from "./packages.ts";

const skip = missing("python3", "unzip");
const START = Date.UTC(2020, 1, 29, 23, 59, 58);

/** "SECONDS SHA-256" of each message, in order. */
type Messages = readonly string[];

async function exportTo(
  format: ExportFormat,
  contents: readonly Buffer[],
): Promise<{ path: string; messages: Messages }> {
  const root = temporaryDirectory();
  const stored = storeMessages(
    join(root, "mail"),
    "alice@example.com",
    contents.map((content, index) => ({
      content,
      folder: index % 3 === 0 ? "Sent" : "INBOX",
      time: START + index * 86_400_000,
    })),
  );
  const paths = new Map<object, string>(stored.map((message) => [message, message.path]));
  const path = join(root, "out");
  await exportMessages(
    {
      format,
      path,
      isFlat: true,
      query: "all",
      messages: (async function* () {
        yield* stored;
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
  const messages = stored.map(
    ({ deliveredAt, sha256 }) => `${Math.floor(deliveredAt / 1000)} ${sha256}`,
  );
  return { path, messages: messages.toSorted() };
}

function python(program: string, path: string): Messages {
  const output = execFileSync("/usr/bin/python3", ["-c", program, path], { encoding: "utf8" });
  return output.trimEnd().split("\n").toSorted();
}

const MBOX = `
import calendar, hashlib, mailbox, re, sys, time
box = mailbox.mbox(sys.argv[1], create=False)
for key in box.keys():
    line = box.get_message(key).get_from()
    date = re.search(r"\\w{3} \\w{3} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d \\d{4}", line).group()
    content = re.sub(rb"(?m)^>(>*From )", rb"\\1", box.get_bytes(key))
    seconds = calendar.timegm(time.strptime(date, "%a %b %d %H:%M:%S %Y"))
    print(seconds, hashlib.sha256(content).hexdigest())
`;

const MAILDIR = `
import hashlib, mailbox, os, sys
def all(box):
    yield from ((box, key) for key in box.keys())
    for name in box.list_folders():
        yield from all(box.get_folder(name))
for box, key in all(mailbox.Maildir(sys.argv[1], create=False)):
    path = os.path.join(box._path, box._lookup(key))
    print(int(os.stat(path).st_mtime), hashlib.sha256(open(path, "rb").read()).hexdigest())
`;

const ZIP = `
import hashlib, struct, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as file:
    assert file.testzip() is None
    for info in file.infolist():
        assert info.extra[:4] == b"UT\\5\\0", info.extra
        print(struct.unpack("<i", info.extra[5:9])[0], hashlib.sha256(file.read(info)).hexdigest())
`;

describe("Python reads", () => {
  test("an mbox: the same messages and times", { skip }, async () => {
    // Python's mailbox joins CR LF and lone LF only at the From_ lines; a message that lacks its last line end gets one.
    const contents = hostileContents().filter((content) => content.at(-1) === 0x0a);
    const { path, messages } = await exportTo("mbox", contents);
    assert.deepEqual(python(MBOX, path), messages);
  });

  test("a Maildir", { skip }, async () => {
    const { path, messages } = await exportTo("maildir", hostileContents());
    assert.deepEqual(python(MAILDIR, path), messages);
  });

  test("a zip", { skip }, async () => {
    const { path, messages } = await exportTo("zip", hostileContents());
    assert.deepEqual(python(ZIP, path), messages);
  });
});

test("unzip tests and unpacks a zip", { skip }, async () => {
  const { path, messages } = await exportTo("zip", hostileContents(5_000_000));
  execFileSync("unzip", ["-tqq", path]);
  const target = temporaryDirectory();
  execFileSync("unzip", ["-qq", path, "-d", target], { env: { ...process.env, TZ: "UTC" } });
  const listing = execFileSync("find", [target, "-name", "*.eml", "-printf", "%T@ %p\\n"], {
    encoding: "utf8",
  });
  const found = listing
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [, seconds = "", file = ""] = /^(\d+)\S* (.*)$/.exec(line) ?? [];
      return `${seconds} ${createHash("sha256").update(readFileSync(file)).digest("hex")}`;
    });
  assert.deepEqual(found.toSorted(), messages);
});
