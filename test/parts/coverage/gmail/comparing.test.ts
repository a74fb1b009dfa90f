import assert from "node:assert/strict";
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { GoogleError } from "../../../../src/google/google.ts";
import { hurriedClock } from "../../../google/script.ts";
import { ALICE, comparedPlace, DAY, HOUR } from "./place.ts";

const NOTHING = { atGoogle: [], inArchive: [] };

const failure = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => assert.fail("it has not failed"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof GoogleError, String(error));
  return error;
};

describe("an archive and its mailbox", () => {
  test("are compared over all folders, and over all pages of the list", async () => {
    await using place = await comparedPlace();
    place.mailbox.pageSize = 3;
    for (let at = 0; at < 10; at++) place.both(`${at}@example.net`);
    for (const [at, box] of ["cur", ".Sent/new", ".Sent/cur", ".Lists.unseen/cur"].entries()) {
      place.copy(`Message-Id: <box${at}@example.net>`, { box });
      place.mailbox.add({ "message-id": `<box${at}@example.net>` });
    }
    place.copy("Message-ID: <lost@example.net>");
    place.copy("Message-ID: <sent@example.net>", { box: ".Sent/new" });
    place.mailbox.add({ "Message-ID": "<internal@example.com>" });
    const found = await place.missing();
    assert.equal(found.both, 14);
    assert.deepEqual(found.atGoogle.toSorted(), ["lost@example.net", "sent@example.net"]);
    assert.deepEqual(found.inArchive, ["internal@example.com"]);
    assert.equal(place.google.tokens.claims.at(-1)?.["sub"], ALICE);
    assert.equal(
      place.google.tokens.claims.at(-1)?.["scope"],
      "https://www.googleapis.com/auth/gmail.readonly",
    );
  });

  for (const [name, header, fields] of [
    ["folded", "Message-ID:\n <1@x.example>", { "Message-ID": "<1@x.example>" }],
    ["folded with CRLF", "Message-ID:\r\n\t<1@x.example>\r", { "Message-ID": "<1@x.example>" }],
    ["folded at Google", "Message-ID: <1@x.example>", { "Message-ID": "\r\n <1@x.example>" }],
    ["with another name", "MESSAGE-ID: <1@x.example>", { "Message-Id": "<1@x.example>" }],
    [
      "with a blank before the colon",
      "Message-ID : <1@x.example>",
      { "Message-ID": "<1@x.example>" },
    ],
    ["without brackets", "Message-ID: 1@x.example", { "Message-ID": "1@x.example" }],
    ["with brackets at Google only", "Message-ID: 1@x.example", { "Message-ID": "<1@x.example>" }],
    [
      "with a comment",
      "Message-ID: <1@x.example> (by x)",
      { "Message-ID": "<1@x.example> (by x)" },
    ],
    ["with blanks", "Message-ID:   < 1@x.example >  ", { "Message-ID": "< 1@x.example >" }],
    [
      "with two in a field",
      "Message-ID: <1@x.example> <2@x.example>",
      { "Message-ID": "<1@x.example> <2@x.example>" },
    ],
    [
      "with two fields",
      "Message-ID: <1@x.example>\nMessage-ID: <2@x.example>",
      { "Message-ID": ["<1@x.example>", "<2@x.example>"] },
    ],
    [
      "with two fields, and one at Google",
      "Message-ID: <1@x.example>\nMessage-ID: <2@x.example>",
      { "Message-ID": "<2@x.example>" },
    ],
    [
      "with octets above ASCII",
      "Message-ID: <\u00f8@x.example>",
      { "Message-ID": "<\u00f8@x.example>" },
    ],
    [
      "behind a megabyte of other fields",
      `${`X: ${"y".repeat(110)}\n`.repeat(9000)}Message-ID: <1@x.example>`,
      { "Message-ID": "<1@x.example>" },
    ],
  ] as const) {
    test(`a Message-ID ${name} is found on both sides`, async () => {
      await using place = await comparedPlace();
      place.copy(`${header}\nSubject: x`);
      place.mailbox.add(fields);
      assert.deepEqual(await place.missing(), { both: 1, ...NOTHING });
    });
  }

  test("a Message-ID in the body is none", async () => {
    await using place = await comparedPlace();
    place.copy("Subject: x\n\nMessage-ID: <1@x.example>");
    place.mailbox.add({ "Message-ID": "<1@x.example>" });
    assert.deepEqual(await place.missing(), {
      both: 0,
      atGoogle: [""],
      inArchive: ["1@x.example"],
    });
  });

  test("a message to which Google gave a Message-ID is known by its date and author", async () => {
    await using place = await comparedPlace();
    const date = "Mon, 30 Nov 2026 09:05:00 +0100";
    place.copy(`Date: ${date}\nFrom: Carol <carol@example.net>`);
    place.mailbox.add({
      "Message-ID": "<65f.SMTPIN_ADDED_MISSING@mx.google.com>",
      Date: date,
      From: "Carol <carol@example.net>",
    });
    const { comparison } = await place.compare();
    assert.deepEqual([comparison.both, comparison.onlyArchived, comparison.onlyMail], [1, [], []]);
    assert.deepEqual([comparison.archive.withoutId, comparison.mailbox.withoutId], [1, 1]);
  });
});

describe("the time", () => {
  test("is that of the file and of the mailbox; older mail is not reported", async () => {
    await using place = await comparedPlace();
    place.copy("Message-ID: <old@x.example>", { time: place.now - 31 * DAY });
    place.copy("Message-ID: <new@x.example>", { time: place.now - 29 * DAY });
    place.mailbox.add({ "Message-ID": "<older@x.example>" }, { time: place.now - 31 * DAY });
    place.mailbox.add({ "Message-ID": "<newer@x.example>" }, { time: place.now - 29 * DAY });
    assert.deepEqual(await place.missing(30), {
      both: 0,
      atGoogle: ["new@x.example"],
      inArchive: ["newer@x.example"],
    });
  });

  test("may differ: the other side is searched outside of it", async () => {
    await using place = await comparedPlace();
    const [inside, outside] = [place.now - 29 * DAY, place.now - 45 * DAY];
    place.copy("Message-ID: <late@x.example>", { time: inside });
    place.mailbox.add({ "Message-ID": "<late@x.example>" }, { time: outside });
    place.copy("Message-ID: <early@x.example>", { time: outside });
    place.mailbox.add({ "Message-ID": "<early@x.example>" }, { time: inside });
    assert.deepEqual(await place.missing(30), { both: 2, ...NOTHING });
  });
});

describe("what moves while it is read", () => {
  test("a copy that comes meanwhile is no hole of the archive", async () => {
    await using place = await comparedPlace();
    const id = place.mailbox.add({ "Message-ID": "<1@x.example>" });
    place.mailbox.onGet = () => {
      place.copy("Message-ID: <1@x.example>", { time: Date.now() });
      return undefined;
    };
    assert.deepEqual(await place.missing(), { both: 1, ...NOTHING });
    assert.ok(id);
  });

  test("a copy that has its partner is none for another message", async () => {
    await using place = await comparedPlace();
    const headers = { Date: "Mon, 30 Nov 2026 09:05:00 +0100", From: "carol@example.net" };
    place.copy(`Date: ${headers.Date}\nFrom: ${headers.From}`, { time: place.now });
    place.mailbox.add(headers);
    place.mailbox.add(headers);
    const { comparison } = await place.compare();
    assert.deepEqual([comparison.both, comparison.onlyMail.length], [1, 1]);
  });

  test("a message that comes to the mailbox meanwhile is not missing there", async () => {
    await using place = await comparedPlace();
    place.copy("Message-ID: <1@x.example>");
    const other = place.mailbox.add({ "Message-ID": "<2@x.example>" });
    place.copy("Message-ID: <2@x.example>");
    place.mailbox.onGet = (id) => {
      if (id === other) place.mailbox.add({ "Message-ID": "<1@x.example>" });
      return undefined;
    };
    assert.deepEqual(await place.missing(), { both: 2, ...NOTHING });
  });

  test("a message that leaves the mailbox meanwhile is counted", async () => {
    await using place = await comparedPlace();
    const gone = place.mailbox.add({ "Message-ID": "<1@x.example>" });
    place.mailbox.onGet = (id) => {
      if (id === gone) place.mailbox.remove(gone);
      return undefined;
    };
    const { comparison, vanished } = await place.compare();
    assert.deepEqual([vanished, comparison.onlyMail], [1, []]);
  });

  test("a message that Google cannot find once is looked for again", async () => {
    await using place = await comparedPlace();
    place.both("1@x.example");
    let isFirst = true;
    place.mailbox.onGet = () => {
      const body = { error: { code: 404, message: "Requested entity was not found." } };
      const answer = isFirst ? { status: 404, body } : undefined;
      isFirst = false;
      return answer;
    };
    assert.deepEqual(await place.missing(), { both: 1, ...NOTHING });
  });

  test("a file that a mail reader moves is read once", async () => {
    await using place = await comparedPlace();
    const file = place.copy("Message-ID: <1@x.example>", { name: "1.M1P1.mx" });
    mkdirSync(join(place.maildir, "cur"), { recursive: true });
    const archive = place.archive();
    const seen: string[] = [];
    await archive.messages(
      () => true,
      ({ ids }) => {
        seen.push(...ids);
        renameSync(file, join(place.maildir, "cur", "1.M1P1.mx:2,S"));
      },
    );
    assert.deepEqual(seen, ["1@x.example"]);
  });
});

describe("the archive", () => {
  test("counts what it cannot read, and opens no pipe", async () => {
    await using place = await comparedPlace();
    place.both("1@x.example");
    writeFileSync(join(place.maildir, "new", "2.zip"), Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0]));
    symlinkSync("/dev/zero", join(place.maildir, "new", "3.zero"));
    const archive = place.archive();
    const seen: string[] = [];
    await archive.messages(
      () => true,
      ({ ids }) => seen.push(...ids),
    );
    assert.deepEqual(seen, ["1@x.example"]);
    assert.equal(archive.unreadableCount, 1);
    assert.match(archive.unreadable[0] ?? "", /2\.zip/);
  });

  test("has sent mail in .Sent, though it is a folder of the inbox as well", async () => {
    await using place = await comparedPlace();
    for (const box of ["new", ".Sent/new", ".Lists/cur"]) place.copy("Subject: x", { box });
    const archive = place.archive();
    const seen: string[] = [];
    await archive.messages(
      () => true,
      ({ folder }) => seen.push(`${basename(folder.path)} ${folder.direction}`),
    );
    assert.deepEqual(seen.toSorted(), [".Lists in", ".Sent out", "alice in"]);
  });

  test("that does not exist has no folders", async () => {
    await using place = await comparedPlace();
    const archive = place.archive();
    await archive.messages(
      () => true,
      () => assert.fail(),
    );
    assert.deepEqual(archive.folders, []);
    assert.equal(archive.unreadableCount, 0);
  });
});

describe("faults of the Gmail API", () => {
  const LIST = "/messages";

  for (const fault of [
    "html",
    "cut",
    "reset",
    "nothing",
    { status: 429 },
    { status: 500 },
    { status: 503, body: "<html>" },
    { status: 403, reason: "userRateLimitExceeded" },
    { status: 403, reason: "rateLimitExceeded" },
  ] as const) {
    test(`${JSON.stringify(fault)} now and then changes nothing`, async () => {
      await using place = await comparedPlace();
      place.mailbox.pageSize = 2;
      for (let at = 0; at < 5; at++) place.both(`${at}@x.example`);
      place.google.fault(LIST, "none", fault, "none", fault);
      place.google.fault("0", fault, fault);
      assert.deepEqual(await place.missing(30, hurriedClock()), { both: 5, ...NOTHING });
    });

    test(`${JSON.stringify(fault)} always ends the comparison`, async () => {
      await using place = await comparedPlace();
      place.both("1@x.example");
      place.google.always(LIST, fault);
      assert.equal((await failure(place.missing(30, hurriedClock()))).kind, "unreachable");
      place.google.always(LIST, "none");
      place.google.always("000", fault);
      assert.equal((await failure(place.missing(30, hurriedClock()))).kind, "unreachable");
    });
  }

  for (const fault of ["same page", "more pages"] as const) {
    test(`${fault}: a list without end ends the comparison`, async () => {
      await using place = await comparedPlace();
      place.both("1@x.example");
      place.google.always(LIST, fault);
      const { kind, message } = await failure(place.missing(30, hurriedClock()));
      assert.equal(kind, "unreachable");
      assert.match(message, /the list of messages has/);
    });
  }

  test("an answer about another message is none about this one", async () => {
    await using place = await comparedPlace();
    place.both("1@x.example");
    place.copy("Message-ID: <2@x.example>");
    const lost = place.mailbox.add({ "Message-ID": "<3@x.example>" });
    const other = {
      id: "other",
      payload: { headers: [{ name: "Message-ID", value: "<2@x.example>" }] },
    };
    place.mailbox.onGet = (id) => (id === lost ? { status: 200, body: other } : undefined);
    assert.equal((await failure(place.missing(30, hurriedClock()))).kind, "unreachable");
  });

  test("an answer without end ends the comparison", async () => {
    await using place = await comparedPlace();
    place.google.always(LIST, "endless");
    assert.match((await failure(place.missing(30, hurriedClock()))).message, /octets/);
  });

  test("a refusal names the setting to change", async () => {
    await using place = await comparedPlace();
    place.google.tokens.scopes = [];
    const { kind, message } = await failure(place.missing());
    assert.equal(kind, "refused");
    assert.match(message, /Domain-wide delegation, authorize client \d+ for \S*gmail\.readonly/);
    place.google.tokens.subjects = [];
    place.google.tokens.scopes = ["https://www.googleapis.com/auth/gmail.readonly"];
    assert.match((await failure(place.missing())).message, /alice@example\.com must be/);
  });

  test("a token that is revoked meanwhile is renewed", async () => {
    await using place = await comparedPlace();
    for (let at = 0; at < 40; at++) place.both(`${at}@x.example`);
    let gets = 0;
    place.mailbox.onGet = () => {
      if (++gets === 20) place.google.tokens.revoke();
      return undefined;
    };
    assert.deepEqual(await place.missing(), { both: 40, ...NOTHING });
    assert.ok(place.google.tokens.given.length <= 3, String(place.google.tokens.given.length));
  });
});

test("an archive that lost its mail at Google is reported, even if a search finds nothing", async () => {
  await using place = await comparedPlace();
  for (let at = 0; at < 20; at++) {
    place.copy(`Message-ID: <${at}@x.example>`, { time: place.now - at * HOUR });
  }
  const found = await place.missing();
  assert.equal(found.atGoogle.length, 20);
});
