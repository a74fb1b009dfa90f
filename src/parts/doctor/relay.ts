// The open-relay self-test of the running configuration. SMTP sessions over the control socket play strangers and another
// customer of a provider that our relay rules trust. Each asks to send mail to a domain that is not ours, and ends with
// RSET before DATA.

import { randomInt } from "node:crypto";
import { parseNetwork } from "../../base/cidr.ts";
import { describeError } from "../../observe/log.ts";
import { WITH_PROOF } from "../../receive/played-reception.ts";
import { NoRelay } from "../../run/control/client.ts";
import { failure, type Finding, ok, skipped } from "./finding.ts";
import { PlayedSession, type Reply } from "./played-session.ts";

/** A relay rule whose hosts send for other organisations too. */
export interface SharedRule {
  /** "gate.relay[1]" */
  readonly name: string;
  /** The lookups among its hosts: "spf:_spf.google.com". */
  readonly list: string;
  /** The networks of its hosts, as far as they are known. */
  readonly networks: readonly string[];
}

export interface RelayTest {
  readonly controlSocket: string;
  /** A domain of ours; undefined if none is written out. */
  readonly ownDomain: string | undefined;
  /** An address of ours that the relay lets through in relay rules, such as that of an account. */
  readonly ownSender: string | undefined;
  readonly sharedRules: readonly SharedRule[];
  /** Whether a listener of the relay answers. */
  isServing(): Promise<boolean>;
}

/** Names that never exist (RFC 6761 6.4). The gate answers without the DNS. */
const FOREIGN_SENDER = "someone@stranger.invalid";
const FOREIGN_RECIPIENT = "open-relay-test@elsewhere.invalid";

interface Player {
  readonly who: string;
  readonly address: string;
}

/** Mail that the relay must not take. */
interface Forbidden {
  readonly what: string;
  readonly sender: string;
  readonly recipient: string;
}

/** What the relay has said to forbidden mail. */
interface Answered extends Forbidden {
  readonly player: Player;
  readonly reply: Reply;
}

export async function checkRelay(test: RelayTest): Promise<readonly Finding[]> {
  try {
    const strangers = await playAll(strangersOf(), forbiddenOf(test), test);
    const findings = [strangersFinding(strangers)];
    if (test.sharedRules.length === 0) {
      findings.push(
        skipped(
          "no relay rule is for hosts that others share, so no other customer can come by one",
        ),
      );
    }
    for (const rule of test.sharedRules) findings.push(await customerFinding(rule, test));
    return findings;
  } catch (error) {
    return [await notPlayed(error, test)];
  }
}

async function notPlayed(error: unknown, test: RelayTest): Promise<Finding> {
  const { controlSocket } = test;
  if (error instanceof NoRelay) {
    return (await test.isServing())
      ? skipped(
          `the relay runs, but not its control socket ${controlSocket}: no open-relay self-test was made`,
          "See the log of its start for the reason, check [relay] control_socket, and restart the relay.",
        )
      : skipped(
          `the relay does not run (nothing answers on ${controlSocket}), so no open-relay self-test was made`,
          "Start it, and run the doctor again.",
        );
  }
  const why = error instanceof Error ? error.message : describeError(error);
  const advice = /EACCES|EPERM/.test(why)
    ? "Run the doctor as root or as [relay] user: nobody else may open the control socket."
    : "Look into the log of the relay, and run the doctor again.";
  return skipped(`the open-relay self-test was not made: ${why}`, advice);
}

function forbiddenOf({ ownDomain, ownSender }: RelayTest): Forbidden[] {
  const sender = FOREIGN_SENDER;
  const recipient = FOREIGN_RECIPIENT;
  return [
    { what: "in a sender's name of its own", sender, recipient },
    { what: "with a null sender", sender: "", recipient },
    ...(ownSender === undefined
      ? []
      : [{ what: `in the name of ${ownSender}`, sender: ownSender, recipient }]),
    ...(ownDomain === undefined
      ? []
      : [
          {
            what: "by a route in the address",
            sender,
            recipient: `open-relay-test%elsewhere.invalid@${ownDomain}`,
          },
        ]),
  ];
}

/**
 * Addresses drawn at random from the public Internet, one of each eighth of IPv4. A rule for a few networks holds none of
 * them.
 */
function strangersOf(): Player[] {
  const firsts = [
    [1, 9],
    [32, 63],
    [64, 95],
    [101, 126],
    [129, 159],
    [160, 168],
    [193, 197],
  ] as const;
  const four = firsts.map(([low, high]) =>
    [randomInt(low, high + 1), randomInt(256), randomInt(256), randomInt(1, 255)].join("."),
  );
  const six = `2a0${randomInt(1, 10)}:${randomInt(1, 0xffff).toString(16)}::${randomInt(1, 0xffff).toString(16)}`;
  return [...four, six].map((address) => ({ who: "a stranger", address }));
}

async function playAll(
  players: readonly Player[],
  mail: readonly Forbidden[],
  { controlSocket }: RelayTest,
): Promise<Answered[]> {
  const answered = await Promise.all(players.map((player) => play(player, mail, controlSocket)));
  return answered.flat();
}

async function play(
  player: Player,
  mail: readonly Forbidden[],
  controlSocket: string,
): Promise<Answered[]> {
  using session = await PlayedSession.open(controlSocket, player.address);
  const answered: Answered[] = [];
  for (const forbidden of mail) {
    const begun = await session.command(`MAIL FROM:<${forbidden.sender}>`);
    const reply =
      begun.code < 300 ? await session.command(`RCPT TO:<${forbidden.recipient}>`) : begun;
    await session.command("RSET");
    answered.push({ ...forbidden, player, reply });
  }
  await session.command("QUIT");
  return answered;
}

const isTaken = ({ reply }: Answered) => reply.code < 300;
const isPutOff = ({ reply }: Answered) => reply.code >= 400 && reply.code < 500;
const needsProof = ({ reply }: Answered) => reply.text.endsWith(WITH_PROOF);

function ruleOf({ reply }: Answered): string {
  return /\(([^()]+)\)/.exec(reply.text)?.[1] ?? "an unknown rule";
}

const LOCAL_ADVICE = "Write only your own domains into [gate] local_domains, and reload.";

function strangersFinding(answered: readonly Answered[]): Finding {
  const taken = answered.find((answer) => isTaken(answer));
  if (taken !== undefined) {
    const { player, what } = taken;
    const rule = ruleOf(taken);
    return failure(
      `OPEN RELAY: ${rule} lets ${player.who} at ${player.address} send mail ${what} to any domain`,
      rule === "local_domains"
        ? LOCAL_ADVICE
        : `Write only hosts of your own into hosts of ${rule}, and reload.`,
    );
  }
  const late = answered.find(isPutOff);
  if (late !== undefined) return putOff("a stranger", late);
  const addresses = new Set(answered.map(({ player }) => player.address)).size;
  return ok(
    `strangers are refused: ${addresses} addresses drawn at random, ${answered.length} tries`,
  );
}

function putOff(who: string, { reply }: Answered): Finding {
  return skipped(
    `the relay puts ${who} off, so the self-test has no result: ${reply.code} ${reply.text}`,
    "Look into the log for lists that cannot be read, and run the doctor again.",
  );
}

async function customerFinding(rule: SharedRule, test: RelayTest): Promise<Finding> {
  const address = rule.networks.flatMap(someAddress)[0];
  if (address === undefined) {
    return skipped(
      `no address of ${rule.list} is known, so no other customer could be played for ${rule.name}`,
      "The check `lists` says why.",
    );
  }
  const who = `another customer of ${rule.list}`;
  const [session] = [await play({ who, address }, forbiddenOf(test), test.controlSocket)];
  const open = session.find((answer) => isTaken(answer) && !needsProof(answer));
  if (open !== undefined) {
    const by = ruleOf(open);
    return failure(
      `${by} lets ${who} (${address}) send mail ${open.what} to any domain`,
      customerAdvice(by, open.sender === FOREIGN_SENDER),
    );
  }
  const late = session.find(isPutOff);
  if (late !== undefined) return putOff(who, late);
  const proven = session.filter(needsProof).map(({ what }) => what);
  return ok(
    proven.length === 0
      ? `${who} (${address}) is refused`
      : `${who} (${address}) is refused; mail ${proven.join(" and ")} needs the proof of ${rule.name}`,
  );
}

function customerAdvice(rule: string, isForeign: boolean): string {
  if (rule === "local_domains") return LOCAL_ADVICE;
  return isForeign
    ? `Set sender_domains of ${rule} to your own domains, and add a proof.`
    : `Add a proof to ${rule}: a header that only your tenant's routing rule sets. Without it, whoever else sends through ` +
        "these hosts may relay as you.";
}

/** An address inside the network; empty for a text that is not a network. */
function someAddress(text: string): string[] {
  if (text.startsWith("!")) return [];
  const network = parseNetwork(text);
  if (network === undefined) return [];
  const [address = ""] = text.split("/");
  if (network.family === 6 || !text.includes("/")) return [address];
  const value = Math.min(Number(network.first) + 1, Number(network.last));
  return [[24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".")];
}
