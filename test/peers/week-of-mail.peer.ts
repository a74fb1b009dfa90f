// Mail of a week in both directions, while Google comes and goes: afterwards nothing is missing, at Dovecot or at Google.
// UNSEEN_MAIL names a directory with more mail.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { passwordFieldOf } from "../../src/users/passwd-file.ts";
import { relayctl } from "../support/program.ts";
import { freePort } from "../support/relay-process.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { Wire } from "../support/wire.ts";
import { eventually } from "./eventually.ts";
import { type Mail, realMail, submit } from "./mail.ts";
import { notServed, type ServedRelay, startServedRelay } from "./served-relay.ts";
import { variedMail } from "./varied-mail.ts";

const run = promisify(execFile);

/** Prints each message of a folder as a line of base64, and whether the folder is there. */
const FETCH = `
import base64, imaplib, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
m = imaplib.IMAP4_SSL("127.0.0.1", int(sys.argv[1]), ssl_context=context)
m.login("alice@example.com", "geheim")
assert m.select(sys.argv[2], readonly=True)[0] == "OK"
for number in m.search(None, "ALL")[1][0].split():
    print(base64.b64encode(m.fetch(number, "(BODY.PEEK[])")[1][0][1]).decode())
`;

async function fetched({ imap }: ServedRelay, folder: string): Promise<readonly Buffer[]> {
  const options = { maxBuffer: 1 << 28 };
  const { stdout } = await run("python3", ["-c", FETCH, String(imap), folder], options);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Buffer.from(line, "base64"));
}

const RECEIVED = /^Received: .*\r\n(?:[ \t].*\r\n)*/;
const DELIVERY = /^Return-path: .*\r\nEnvelope-to: .*\r\nDelivery-date: .*\r\n/;

/** The message as it was sent: without our Received line, and without the delivery headers of a copy. */
function asSent(octets: Buffer, isCopy: boolean): string {
  const text = octets.toString("latin1");
  const below = isCopy ? text.replace(DELIVERY, "") : text;
  assert.ok(!isCopy || below !== text, text.slice(0, 300));
  const sent = below.replace(RECEIVED, "");
  assert.notEqual(sent, below, text.slice(0, 300));
  return sent;
}

interface Difference {
  readonly missing: number;
  readonly twice: number;
  readonly foreign: number;
}

function timesOf(all: readonly string[]): ReadonlyMap<string, number> {
  const groups = Map.groupBy(all, (one) => one);
  return new Map(Array.from(groups, ([one, { length }]) => [one, length]));
}

function textsOf(all: readonly Mail[]): readonly string[] {
  return all.map(({ bytes }) => bytes.toString("latin1"));
}

/** Compares as multisets of octets. */
function differenceOf(sent: readonly string[], found: readonly string[]): Difference {
  const [wanted, seen] = [timesOf(sent), timesOf(found)];
  let [missing, twice, foreign] = [0, 0, 0];
  for (const [one, times] of wanted) missing += Math.max(0, times - (seen.get(one) ?? 0));
  for (const [one, times] of seen) {
    if (wanted.has(one)) twice += Math.max(0, times - (wanted.get(one) ?? 0));
    else foreign += times;
  }
  return { missing, twice, foreign };
}

/** Sends messages of alice's as her mail program does. */
async function submitAsAlice(port: number, mails: readonly Mail[]): Promise<void> {
  using wire = await Wire.open(port);
  await wire.reply();
  await wire.ask("EHLO laptop.test");
  await wire.ask("STARTTLS");
  await wire.startTls();
  await wire.ask("EHLO laptop.test");
  const login = Buffer.from("\0alice@example.com\0geheim").toString("base64");
  assert.match(await wire.ask(`AUTH PLAIN ${login}`), /^235/);
  for (const { name, bytes } of mails) {
    assert.match(await wire.ask("MAIL FROM:<alice@example.com>"), /^250/);
    assert.match(await wire.ask("RCPT TO:<dave@example.org>"), /^250/);
    assert.match(await wire.ask("DATA"), /^354/);
    wire.send(bytes);
    assert.match(await wire.ask("."), /^250/, name);
  }
}

/** What alice's program sends: Date and Message-ID are there, so nothing is added. */
function ownMail(count: number): Mail[] {
  return Array.from({ length: count }, (_, index) => {
    const head = `From: Alice <alice@example.com>\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\nMessage-ID: <${index}@laptop>\r\n`;
    const bytes = Buffer.from(
      `${head}Subject: own ${index}\r\n\r\n${"line\r\n".repeat(index * 40)}`,
    );
    return { name: `own-${index}`, bytes };
  });
}

test(
  "no message of a week is missing, at Dovecot or at Google",
  { skip: notServed() },
  async (t) => {
    const port = await freePort();
    let google: Sink = await startSink({ port });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => google.close());
    const atGoogle = [google.messages];
    const back = async () => atGoogle.push((google = await startSink({ port })).messages);
    await using world = await startSink();
    const users = `alice@example.com:${await passwordFieldOf("geheim")}::::::\n`;
    const failover = 'release_rate = "20/1s"';
    const options = { google: port, world: world.port, users, failover };
    await using served = await startServedRelay(options);
    const mails = [...realMail(), ...variedMail()];
    const order = async (...words: readonly string[]) => {
      const { code, stderr } = await relayctl(["failover", ...words, "--config", served.file]);
      assert.equal(code, 0, stderr);
    };
    const [received, sent]: [Mail[], Mail[]] = [[], []];
    const days = async (...numbers: readonly number[]) => {
      const some = mails.filter((_, index) => numbers.includes(index % 7));
      await submit(served.smtp, "carol@example.net", "alice@example.com", some);
      await submit(served.smtp, "alice@example.com", "dave@example.org", some);
      received.push(...some);
      sent.push(...some);
    };
    await days(0, 1);
    await google.close();
    await days(2);
    await order("on");
    await days(3, 4);
    const own = ownMail(20);
    await submitAsAlice(served.submission, own);
    sent.push(...own);
    await back();
    await order("off");
    await eventually("the release is under way", () => google.messages.length > 5);
    await google.close();
    await days(5);
    await back();
    await days(6);
    const isOver = async () => {
      // The postmaster does not wait for the retry time of Google's hosts.
      await relayctl(["queue", "retry", "--all", "--config", served.file]);
      const status = await relayctl(["failover", "status", "--json", "--config", served.file]);
      const queue = await relayctl(["queue", "count", "--json", "--config", served.file]);
      return /"on":false.*"releasing":false/.test(status.stdout) && !/[1-9]/.test(queue.stdout);
    };
    await eventually("all mail is delivered", isOver);
    const inbox = (await fetched(served, "INBOX")).map((one) => asSent(one, true));
    const sentFolder = (await fetched(served, "Sent")).map((one) => asSent(one, true));
    const googles = atGoogle.flat().map(({ raw }) => asSent(raw, false));
    const worlds = world.messages.map(({ raw }) => asSent(raw, false));
    const [wantedIn, wantedOut] = [textsOf(received), textsOf(sent)];
    const none = { missing: 0, twice: 0, foreign: 0 };
    const found = {
      "INBOX by IMAP": differenceOf(wantedIn, inbox),
      "Sent by IMAP": differenceOf(wantedOut, sentFolder),
      Google: differenceOf(wantedIn, googles),
      "the world": differenceOf(wantedOut, worlds),
    };
    t.diagnostic(`${received.length} received, ${sent.length} sent: ${JSON.stringify(found)}`);
    // A host that ends in the middle of its answer may have the message already.
    const { twice, ...atHost } = found.Google;
    assert.deepEqual(atHost, { missing: 0, foreign: 0 });
    assert.ok(twice <= 2, JSON.stringify(found));
    assert.deepEqual(
      { ...found, Google: none },
      {
        "INBOX by IMAP": none,
        "Sent by IMAP": none,
        Google: none,
        "the world": none,
      },
    );
  },
);
