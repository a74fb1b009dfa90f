// npm run demo: the relay with a simulated Google and other mail hosts, on this machine only, in a few seconds.
// It is a check as well: a line with a mark is a promise that was checked. If a promise is broken, the demo fails.

import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Events } from "../src/observe/events.ts";
import { digest, digestAtHost, digestInMaildir, type Letter, letter, numbered } from "./letters.ts";
import { Page, shortened } from "./page.ts";
import type { Peer } from "./peer.ts";
import { relayctl, RelayProcess } from "./relay.ts";
import { type Answer, type Post, sendAll, sendOne } from "./sender.ts";
import { setStage, senders, type Stage, TENANT_HEADER } from "./stage.ts";

/** The number of messages under way when the relay is killed, and the number of the 250 at which it is killed. */
const CROWD = 60;
const KILL_AFTER = 40;
/** Questions to the archive, one after the other, whether it has read all copies. */
const LOOKS_MAX = 30;

const page = new Page();

async function main(): Promise<void> {
  await using stage = await setStage();
  const relay = await RelayProcess.start(stage.configFile);
  await relay.event("hosts.refreshed");
  introduce(stage, relay);
  await welcomeMail(stage, relay);
  await unwelcomeMail(stage);
  await googleIsBusy(stage, relay);
  const second = await powerCut(stage, relay);
  await archive(stage);
  await second.end("SIGTERM");
  farewell(stage);
}

function introduce({ mail, port }: Stage, { pid }: RelayProcess): void {
  page.title(
    "unseen",
    "The relay before and behind Google Workspace that keeps a copy of every message.",
    "This is the real program; Google and the world are played by this machine.",
  );
  page.picture([
    "127.0.0.3    the world ──▶ ┌────────────────┐ ──▶ Google   127.0.0.10",
    "                           │     unseen     │",
    "127.0.0.20   the world ◀── └───────┬────────┘ ◀── Google   127.0.0.2",
    "                                   ▼",
    `                           ${mail}`,
  ]);
  page.gap();
  page.say(`Process ${pid} is ready and listens on 127.0.0.1:${port}.`);
}

// ---- scenes ----

async function welcomeMail(stage: Stage, relay: RelayProcess): Promise<void> {
  const { google, world } = stage;
  page.scene("The world writes to a user", "A copy into her Maildir, and the mail on to Google.");
  await exchange(stage, relay, google, {
    from: "carol@example.org",
    to: ["alice@example.com"],
    by: senders.world,
    letter: letter("plain.eml"),
  });

  page.scene(
    "The world writes to two at once",
    "A group is an account too. A +suffix finds its account, and is still there at Google.",
  );
  await exchange(stage, relay, google, {
    from: "carol@example.org",
    to: ["sales@example.com", "alice+lists@example.com"],
    by: senders.world,
    letter: letter("multipart.eml"),
  });

  page.scene(
    "A user writes to the world",
    "By way of Google. A copy into her .Sent, and the mail on to the MX of example.org.",
  );
  await exchange(stage, relay, world, {
    from: "alice@example.com",
    to: ["carol@example.org"],
    by: senders.google,
    letter: letter("utf8.eml"),
    header: TENANT_HEADER,
  });
}

async function unwelcomeMail(stage: Stage): Promise<void> {
  const before = stage.world.arrivals.length + stage.google.arrivals.length;
  const plain = letter("plain.eml");
  page.scene(
    "Mail that is refused",
    "While the client is there to hear it: nobody gets a bounce for what a liar wrote.",
  );
  await refused(stage, "550 5.1.1", "There is no such account.", {
    from: "carol@example.org",
    to: ["zoe@example.com"],
    by: senders.world,
    letter: plain,
  });
  await refused(stage, "550 5.7.1", "A stranger relays, in the name of a user of ours.", {
    from: "alice@example.com",
    to: ["victim@example.org"],
    by: senders.world,
    letter: plain,
  });
  await refused(stage, "550 5.7.1", "Another customer of Google has made us his gateway.", {
    from: "mallory@example.net",
    to: ["victim@example.org"],
    by: senders.google,
    letter: plain,
  });
  await refused(stage, "550 5.7.1", "He writes as a user of ours, and lacks our secret header.", {
    from: "alice@example.com",
    to: ["victim@example.org"],
    by: senders.google,
    letter: plain,
  });
  const after = stage.world.arrivals.length + stage.google.arrivals.length;
  page.promise(after === before, "outcome", "nothing of this went anywhere");

  page.gap();
  page.say("   And why? The same question as a dry run, for the second of them:");
  const asked = ["check", "victim@example.org", "--from", "alice@example.com"];
  asked.push("--client", senders.world.address);
  const { output, exitCode } = await relayctl(stage.configFile, ...asked);
  page.quote(`relayctl ${asked.join(" ")}`, output);
  const agrees = exitCode === 2 && output.includes("550 5.7.1 Relaying denied");
  page.promise(agrees, "check", "says what the relay does");
}

async function googleIsBusy(stage: Stage, relay: RelayProcess): Promise<void> {
  const { google } = stage;
  page.scene(
    "Google is busy",
    "The copy is made at once. The mail waits, and nobody is told that it failed.",
  );
  google.mood = "busy";
  const post: Post = {
    from: "carol@example.org",
    to: ["bob@example.com"],
    by: senders.world,
    letter: letter("html-long-lines.eml"),
  };
  const { id, accepted } = await hand(stage, post);
  if (!accepted) return;
  const deferred = await relay.event("delivery.deferred", id);
  for (const copy of relay.all("delivery.done", id)) showCopy(stage, copy, post.letter);
  page.line("Google", deferred.status);
  const { output } = await relayctl(stage.configFile, "queue", "list");
  page.quote("relayctl queue list", output);
  google.mood = "well";
  const { seconds } = await relay.event("message.completed", id);
  for (const one of relay.all("delivery.done", id).filter(isRemote)) {
    showArrival(google, one, post.letter);
  }
  page.line("outcome", `delivered ${seconds} seconds after it came`);
}

/** Sends many messages, kills the relay meanwhile, and then looks for every message. */
async function powerCut(stage: Stage, relay: RelayProcess): Promise<RelayProcess> {
  const { google, port } = stage;
  page.scene(
    "The relay is killed",
    `${CROWD} messages come and go, Google is slow, and then: kill -9.`,
  );
  const posts = crowd();
  const promised = new Set<string>();
  google.mood = "slow";
  const unanswered = await sendAll(port, posts, (post) => {
    promised.add(digest(post.letter.bytes));
    if (promised.size === KILL_AFTER) relay.kill("SIGKILL");
  });
  await relay.end("SIGKILL");
  google.mood = "well";
  page.line("killed", `process ${relay.pid}, after the ${KILL_AFTER}th 250`);
  page.line(
    "",
    `${promised.size} messages got a 250; the senders keep the other ${unanswered.length}`,
  );

  const second = await RelayProcess.start(stage.configFile);
  const recovered = await second.event("spool.recovered");
  await second.event("hosts.refreshed");
  page.line("restart", `process ${second.pid} finds ${recovered.messages} messages in the spool`);
  const refusedAgain = await sendAll(port, unanswered, () => undefined);
  page.line("senders", `try the other ${unanswered.length} again`);
  page.promise(
    refusedAgain.length === 0,
    "",
    `${unanswered.length - refusedAgain.length} got a 250`,
  );
  const entered = recovered.messages + unanswered.length - refusedAgain.length;
  const left = () => entered - second.all("message.completed").length;
  await second.until("the queue is empty", () => left() === 0);
  account(stage, posts, promised, recovered.in_flight);
  page.promise(left() === 0, "queue", "is empty");
  return second;
}

/** Searches the copies, and compares every one of them with the manifest. */
async function archive({ configFile, copyPaths }: Stage): Promise<void> {
  page.scene(
    "Somebody looks for a message",
    "The archive has read every copy meanwhile, also those from before the power cut.",
  );
  const copies = copyPaths().length;
  const isRead = async () => {
    const { output } = await relayctl(configFile, "archive", "status", "--json");
    const { messages, behind } = JSON.parse(output);
    return messages === copies && behind === false;
  };
  let looks = 0;
  while (!(await isRead()) && looks < LOOKS_MAX) looks++;
  page.line("archive", `has read ${copies} copies`);
  const query = "subject:kick account:alice@example.com";
  const { output } = await relayctl(configFile, "archive", "search", query);
  page.quote(`relayctl archive search "${query}"`, output);
  page.promise(output.includes("KICK ME"), "search", "finds the first message of this demo");
  const { output: verified, exitCode } = await relayctl(configFile, "archive", "verify");
  page.promise(exitCode === 0, "verify", shortened(verified.split("\n")[0] ?? ""));
}

// ---- one message ----

/** Hands a message in and accounts for every copy and every delivery of it. */
async function exchange(stage: Stage, relay: RelayProcess, to: Peer, post: Post): Promise<void> {
  const { id, accepted } = await hand(stage, post);
  if (!accepted) return;
  await relay.event("message.completed", id);
  const done = relay.all("delivery.done", id);
  const arrivals = done.filter(isRemote);
  for (const one of done.filter((each) => !isRemote(each))) showCopy(stage, one, post.letter);
  for (const one of arrivals) showArrival(to, one, post.letter);
  if (arrivals.length !== post.to.length) {
    page.promise(false, "outcome", `${arrivals.length} of ${post.to.length} deliveries`);
  }
}

async function hand({ port }: Stage, post: Post): Promise<Answer> {
  const { from, to, by, letter: one } = post;
  page.line("mail", `${from} → ${to.join(", ")}`);
  page.line("", `${one.name}, ${one.bytes.length} bytes, from ${by.address}`);
  const answer = await sendOne(port, post);
  page.promise(answer.accepted, "reply", answer.reply);
  return answer;
}

async function refused({ port }: Stage, reply: string, why: string, post: Post): Promise<void> {
  page.line("mail", `${post.from} → ${post.to.join(", ")}, from ${post.by.address}`);
  page.line("", why);
  const answer = await sendOne(port, post);
  page.promise(!answer.accepted && answer.reply.startsWith(reply), "reply", answer.reply);
  page.gap();
}

type Done = Events["delivery.done"];

function isRemote({ transport }: Done): boolean {
  return transport === "gmail" || transport === "remote_smtp";
}

function showCopy({ mail }: Stage, { host = "" }: Done, { bytes }: Letter): void {
  const isWhole = digestInMaildir(readFileSync(host)) === digest(bytes);
  page.promise(isWhole, "copy", shortened(relative(mail, host)));
}

function showArrival(peer: Peer, { recipient }: Done, { bytes }: Letter): void {
  const wanted = digest(bytes);
  const arrival = peer.arrivals.find(
    ({ raw, recipients }) => recipients.includes(recipient) && digestAtHost(raw) === wanted,
  );
  const how = arrival?.tls === undefined ? "in clear" : `over ${arrival.tls}`;
  page.promise(arrival !== undefined, peer.name, `${recipient}, ${how}, byte for byte`);
}

// ---- many messages ----

/** Messages in and out, all different. */
function crowd(): Post[] {
  return numbered(CROWD).map((one, index) =>
    index % 3 === 2
      ? {
          from: "alice@example.com",
          to: ["carol@example.org"],
          by: senders.google,
          letter: one,
          header: TENANT_HEADER,
        }
      : {
          from: "carol@example.org",
          to: [index % 3 === 0 ? "bob@example.com" : "sales@example.com"],
          by: senders.world,
          letter: one,
        },
  );
}

/** Checks the messages: each with a 250 must have arrived, once, or twice if it was in flight. */
function account(
  { google, world, mail, copyPaths }: Stage,
  posts: readonly Post[],
  promised: ReadonlySet<string>,
  inFlight: number,
): void {
  const files = copyPaths().map((path) => ({ path, bytes: readFileSync(join(mail, path)) }));
  const arrivals = [...google.arrivals, ...world.arrivals];
  const everyone = posts.map((post) => digest(post.letter.bytes));
  for (const [label, found] of [
    ["arrived", count(arrivals.map(({ raw }) => digestAtHost(raw)))],
    ["copied", count(files.map(({ bytes }) => digestInMaildir(bytes)))],
  ] as const) {
    const kept = [...promised].filter((one) => found.has(one)).length;
    const all = everyone.filter((one) => found.has(one)).length;
    const twice = everyone.filter((one) => (found.get(one) ?? 0) > 1).length;
    const text = `${kept} of the ${promised.size} that got a 250, and ${all} of all ${CROWD}, byte for byte`;
    page.promise(kept === promised.size && all === CROWD, label, text);
    if (twice > 0)
      page.promise(twice <= inFlight, "", `${twice} of them twice: they were in flight`);
  }
  const sizesAreRight = files.every(({ path, bytes }) => path.endsWith(`,S=${bytes.length}`));
  page.promise(sizesAreRight, "", "the name of each copy says how many bytes it has");
}

function count(digests: readonly string[]): Map<string, number> {
  const counted = new Map<string, number>();
  for (const one of digests) counted.set(one, (counted.get(one) ?? 0) + 1);
  return counted;
}

function farewell({ mail, directory, copyPaths }: Stage): void {
  const folders = count(copyPaths().map((path) => dirname(path)));
  const width = Math.max(...[...folders.keys()].map((folder) => folder.length));
  page.summary(
    "The copies are here, to look at with any mail reader that knows Maildir:",
    "",
    mail,
    ...[...folders]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([folder, files]) => `  ${folder.padEnd(width)}  ${String(files).padStart(3)} messages`),
    "",
    `The configuration beside them: ${join(directory, "routers.toml")}`,
    "To set up your own: README.md. To leave no trace of this:",
    `  rm -r ${directory}`,
  );
}

function whatWentWrong(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!("code" in error) || error.code !== "EADDRNOTAVAIL") return "stopped; see above";
  return `${error.message}; the demo needs all of 127.0.0.0/8, as Linux has it`;
}

try {
  await main();
} catch (error) {
  console.error(error);
  page.promise(false, "demo", whatWentWrong(error));
}
process.exit(page.broken === 0 ? 0 : 1);
