import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Outcome } from "../../src/contract/contract.ts";
import { MaildirAppend, maildirAppend } from "../../transports/maildir-append.ts";
import { problemsOf, readOptions } from "../conformance/driver.ts";
import { testTransport } from "../conformance/transport.ts";
import { manualClock } from "../support/clock.ts";
import {
  batch,
  damagedBody,
  envelope,
  inlineBody,
  MESSAGE,
  recipient,
  streamedBody,
} from "../support/build.ts";
import { fakeServices, recordingLog } from "../support/services.ts";

const never = new AbortController().signal;
const BOB = recipient("bob@example.com");
const BODY_LF = MESSAGE.toString().replaceAll("\r\n", "\n");

function root(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "unseen-maildir-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function setup(t: TestContext, table: Record<string, unknown> = {}) {
  const base = root(t);
  const directory = `${base}/{domain}/{local_part}`;
  const log = recordingLog();
  const services = fakeServices({ log, clock: manualClock() });
  const options = readOptions(maildirAppend, { directory, ...table });
  return { base, log, transport: new MaildirAppend(options, services) };
}

/** The one file of a batch that went well. */
function pathOf(outcome: Outcome | undefined): string {
  assert.equal(outcome?.kind, "delivered");
  assert.ok(outcome.place?.kind === "file");
  return outcome.place.path;
}

testTransport(maildirAppend, {
  setup: (t) => ({ table: { directory: `${root(t)}/{domain}/{local_part}` } }),
});

test("a copy is the message with LF line ends, in new/ of the account's Maildir", async (t) => {
  const { base, transport } = setup(t);
  const outcomes = await transport.deliver(batch([BOB]), never);
  const path = pathOf(outcomes.get(BOB.id));
  const maildir = join(base, "example.com", "bob");
  assert.deepEqual(readdirSync(join(maildir, "new")), [basename(path)]);
  assert.deepEqual(readdirSync(join(maildir, "tmp")), []);
  assert.deepEqual(readdirSync(maildir).toSorted(), ["cur", "new", "tmp"]);
  assert.equal(readFileSync(path, "utf8"), BODY_LF);
});

test("the headers of the delivery stand on top, and S= counts them", async (t) => {
  const { transport } = setup(t, {
    return_path_add: true,
    envelope_to_add: true,
    delivery_date_add: true,
    maildir_tag: ",S={size}",
  });
  const outcomes = await transport.deliver(batch([BOB]), never);
  const path = pathOf(outcomes.get(BOB.id));
  const text = readFileSync(path, "utf8");
  const head =
    /^Return-path: <alice@example.org>\nEnvelope-to: bob@example.com\nDelivery-date: [^\n]+\n/;
  assert.match(text, head);
  assert.equal(text.replace(head, ""), BODY_LF);
  assert.ok(path.endsWith(`.mx.example.com,S=${statSync(path).size}`), path);
});

test("headers that came with the message are left where they are", async (t) => {
  const { transport } = setup(t, { return_path_add: true });
  const bytes = Buffer.from("Return-path: <mallory@example.net>\r\nSubject: x\r\n\r\n");
  const given = batch([BOB], { body: inlineBody(bytes) });
  const path = pathOf((await transport.deliver(given, never)).get(BOB.id));
  assert.equal(
    readFileSync(path, "utf8"),
    "Return-path: <alice@example.org>\nReturn-path: <mallory@example.net>\nSubject: x\n\n",
  );
});

test("real messages come out byte for byte, from memory and in pieces of any size", async (t) => {
  const { transport } = setup(t);
  const corpus = new URL("../corpus/", import.meta.url);
  const files = readdirSync(corpus).filter((name) => name.endsWith(".eml"));
  assert.ok(files.length >= 6);
  for (const name of files) {
    const lf = readFileSync(new URL(name, corpus), "latin1");
    const crlf = Buffer.from(lf.replaceAll("\n", "\r\n"), "latin1");
    for (const body of [inlineBody(crlf), streamedBody(crlf, 61), streamedBody(crlf, 4096)]) {
      const outcomes = await transport.deliver(batch([BOB], { body }), never);
      assert.equal(readFileSync(pathOf(outcomes.get(BOB.id)), "latin1"), lf, name);
    }
  }
});

test("an empty body gives an empty file", async (t) => {
  const { transport } = setup(t);
  for (const body of [inlineBody(Buffer.alloc(0)), streamedBody(Buffer.alloc(0), 1)]) {
    const outcomes = await transport.deliver(batch([BOB], { body }), never);
    assert.equal(statSync(pathOf(outcomes.get(BOB.id))).size, 0);
  }
});

test("recipients that lead to one Maildir share one copy, whose Envelope-to names them all", async (t) => {
  const { transport } = setup(t, { envelope_to_add: true });
  const alias = { ...recipient("bob.smith+x@example.com"), account: BOB.account };
  assert.equal(transport.batchKey(alias), transport.batchKey(BOB));
  const outcomes = await transport.deliver(batch([BOB, alias]), never);
  const path = pathOf(outcomes.get(BOB.id));
  assert.equal(pathOf(outcomes.get(alias.id)), path);
  assert.equal(readdirSync(join(path, "..")).length, 1);
  assert.match(
    readFileSync(path, "utf8"),
    /^Envelope-to: bob@example.com, bob.smith\+x@example.com\n/,
  );
});

test("one batch may lead to several Maildirs", async (t) => {
  const { base, transport } = setup(t, { envelope_to_add: true });
  const carol = recipient("carol@example.com");
  await transport.deliver(batch([BOB, carol]), never);
  for (const name of ["bob", "carol"]) {
    const directory = join(base, "example.com", name, "new");
    const [file] = readdirSync(directory);
    const text = readFileSync(join(directory, file ?? ""), "utf8");
    assert.equal(text, `Envelope-to: ${name}@example.com\n${BODY_LF}`);
  }
});

test("the sender's own folder is found by the sender's account", async (t) => {
  const base = root(t);
  const directory = `${base}/{sender_domain}/{sender_local_part}/.Sent`;
  const transport = maildirAppend.create(readOptions(maildirAppend, { directory }), fakeServices());
  const zoe = recipient("zoe@example.net", {
    account: { senderDomain: "example.com", senderLocalPart: "bob" },
  });
  assert.equal(transport.destination?.(zoe), `${base}/example.com/bob/.Sent`);
  const outcomes = await transport.deliver(batch([zoe]), never);
  assert.ok(pathOf(outcomes.get(zoe.id)).startsWith(`${base}/example.com/bob/.Sent/new/`));
});

test("an unsafe account is frozen and logged, and the others are delivered", async (t) => {
  const { base, log, transport } = setup(t);
  const climber = recipient("x@example.com", {
    account: { domain: "example.com", localPart: "../../etc" },
  });
  const stranger = recipient("y@example.com", { account: { domain: "example.com" } });
  const outcomes = await transport.deliver(batch([climber, BOB, stranger]), never);
  pathOf(outcomes.get(BOB.id));
  assert.deepEqual(outcomes.get(climber.id), {
    kind: "deferred",
    status: {
      code: 451,
      enhanced: "4.3.5",
      text: "the value of {local_part} is no safe directory name",
    },
    scope: "recipient",
    freeze: true,
  });
  const third = outcomes.get(stranger.id);
  assert.ok(third?.kind === "deferred" && third.freeze === true);
  assert.notEqual(transport.batchKey(climber), transport.batchKey(stranger));
  assert.equal(transport.destination(climber), undefined);
  assert.deepEqual(log.named("relay.error"), [
    {
      id: envelope().id,
      where: `maildir-append ${base}/{domain}/{local_part}`,
      error: 'the value of {local_part} is no safe directory name: "../../etc"',
    },
    {
      id: envelope().id,
      where: `maildir-append ${base}/{domain}/{local_part}`,
      error: "no list of the router gave a value for {local_part}: undefined",
    },
  ]);
  assert.deepEqual(readdirSync(join(base, "example.com")), ["bob"]);
});

test("files and directories have the wanted permissions", async (t) => {
  const umask = process.umask(0o022);
  t.after(() => process.umask(umask));
  for (const [mode, file, directory] of [
    [undefined, 0o600, 0o700],
    ["0640", 0o640, 0o750],
  ] as const) {
    const { base, transport } = setup(t, mode === undefined ? {} : { mode });
    const path = pathOf((await transport.deliver(batch([BOB]), never)).get(BOB.id));
    assert.equal(statSync(path).mode & 0o777, file);
    for (const made of ["example.com", "example.com/bob", "example.com/bob/new"]) {
      assert.equal(statSync(join(base, made)).mode & 0o777, directory, made);
    }
  }
});

test("a Maildir that is removed or replaced while the relay runs is made again", async (t) => {
  const { base, transport } = setup(t);
  await transport.deliver(batch([BOB]), never);
  rmSync(join(base, "example.com"), { recursive: true });
  pathOf((await transport.deliver(batch([BOB]), never)).get(BOB.id));
  rmSync(join(base, "example.com", "bob", "new"), { recursive: true });
  pathOf((await transport.deliver(batch([BOB]), never)).get(BOB.id));
});

test("without create_directory a missing Maildir defers", async (t) => {
  const { base, transport } = setup(t, { create_directory: false });
  const outcome = (await transport.deliver(batch([BOB]), never)).get(BOB.id);
  assert.equal(outcome?.kind, "deferred");
  assert.deepEqual(readdirSync(base), []);
});

test("a file in the place of a directory defers", async (t) => {
  const { base, log, transport } = setup(t);
  writeFileSync(join(base, "example.com"), "in the way");
  const outcome = (await transport.deliver(batch([BOB]), never)).get(BOB.id);
  assert.ok(outcome?.kind === "deferred" && outcome.freeze === undefined);
  assert.match(JSON.stringify(log.named("relay.error")), /ENOTDIR/);
});

test("many copies at once each have a name of their own", async (t) => {
  const { base, transport } = setup(t);
  const all = Array.from({ length: 50 }, () => transport.deliver(batch([BOB]), never));
  await Promise.all(all);
  assert.equal(readdirSync(join(base, "example.com", "bob", "new")).length, 50);
});

test("a body that cannot be read is thrown with its cause, and leaves nothing", async (t) => {
  const { base, transport } = setup(t);
  await assert.rejects(
    transport.deliver(batch([BOB], { body: damagedBody() }), never),
    (error: Error) => error.cause instanceof Error && /checksum/.test(error.cause.message),
  );
  for (const name of ["tmp", "new"]) {
    assert.deepEqual(readdirSync(join(base, "example.com", "bob", name)), []);
  }
});

test("the null sender is shown as <>", async (t) => {
  const { transport } = setup(t, { return_path_add: true });
  const given = batch([BOB], { envelope: envelope({ sender: null }) });
  const path = pathOf((await transport.deliver(given, never)).get(BOB.id));
  assert.match(readFileSync(path, "utf8"), /^Return-path: <>\n/);
});

test("options that cannot work are problems", () => {
  const wrong = [
    [
      { directory: "/mail/{local_prat}" },
      /^directory: has no placeholder \{local_prat\}, did you mean/,
    ],
    [{ directory: "" }, /^directory: must be a path/],
    [{ directory: "/m", maildir_tag: "/x" }, /^maildir_tag: must be short graphic characters/],
    [{ directory: "/m", maildir_tag: ":2,S" }, /^maildir_tag: /],
    [{ directory: "/m", maildir_tag: "S={size}" }, /^maildir_tag: /],
    [{ directory: "/m", maildir_tag: ",S={sise}" }, /^maildir_tag: /],
    [{ directory: "/m", mode: "600x" }, /^mode: must be an octal mode/],
  ] as const;
  for (const [table, message] of wrong) {
    const problems = problemsOf(maildirAppend, table);
    assert.equal(problems.length, 1, JSON.stringify(table));
    assert.match(problems[0] ?? "", message);
  }
  for (const tag of ["", ",S={size}", ",S={size},W={size}", "!a.b_c-d"]) {
    assert.deepEqual(problemsOf(maildirAppend, { directory: "/m", maildir_tag: tag }), []);
  }
});
