// Addresses by the hundred thousand, made of everything that has ever opened a relay, put through the front door
// as a stranger's RCPT. What comes out is compared with a second reader, written from RFC 5321 4.1.2 alone: the
// mailbox that the next host will see in the bytes that we pass on.

import assert from "node:assert/strict";
import type { GateOptions } from "../../src/receive/gate/gate-options.ts";
import { Gate } from "../../src/receive/gate/gate.ts";
import { decodeLine, parseRcpt } from "../../src/smtp/server/command.ts";
import { bench } from "../lists/support.ts";
import { seeded, type Random } from "../support/random.ts";

/** What a domain of ours may look like to the next host, and what it is. The "k" has a look-alike: U+212A. */
const OURS: ReadonlyMap<string, string> = new Map([
  ["example.com", "example.com"],
  ["kiosk.example", "kiosk.example"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
]);

const STRANGER = { address: "203.0.113.9", helo: "stranger.test" };

export interface Tally {
  accepted: number;
  refused: number;
  malformed: number;
}

/** Throws at the first address that could relay. */
export async function fuzzAddresses(seed: number, goesOn: (n: number) => boolean): Promise<Tally> {
  using here = bench({ domains: { ours: [...new Set(OURS.values())] } });
  const options: GateOptions = {
    local_domains: ["+ours"],
    dnsbl: [],
    dnsbl_action: "refuse",
    authentication: { policy: "off" },
    relay: [],
  };
  const gate = new Gate(options, here.lists);
  const random = seeded(seed);
  const tally: Tally = { accepted: 0, refused: 0, malformed: 0 };
  for (let n = 0; goesOn(n); n++) {
    const path = anyPath(random);
    try {
      tally[await verdictOn(path, gate)]++;
    } catch (error) {
      throw new Error(`seed ${seed}, address ${n}: ${JSON.stringify(path)}`, { cause: error });
    }
  }
  return tally;
}

async function verdictOn(path: string, gate: Gate): Promise<keyof Tally> {
  const command = decodeLine(Buffer.from(`TO:<${path}>\r\n`));
  if (command === undefined) return "malformed";
  const parsed = parseRcpt(command, true, "example.com");
  if ("refused" in parsed) return "malformed";
  const { mailbox } = parsed.ok;
  const verdict = await gate.judge(STRANGER, null, mailbox);
  if (verdict.kind !== "accept") return "refused";

  const next = readForwardPath(`<${mailbox.address}>`);
  assert.ok(next !== undefined, `the next host cannot read ${mailbox.address}`);
  const domain = OURS.get(next.domain.toLowerCase());
  assert.ok(domain !== undefined, `the next host reads the domain ${next.domain}`);
  assert.equal(mailbox.domain, domain);
  assert.equal(mailbox.localPart, next.localPart);
  assert.doesNotMatch(next.localPart, /[@%!]/, "the next host may find another route in it");
  return "accepted";
}

/** RFC 5321 4.1.2, Forward-path, one character after the other; undefined for what is none. */
function readForwardPath(text: string): { localPart: string; domain: string } | undefined {
  const characters = Array.from(text);
  let at = 0;
  const take = (wanted: string) => characters[at] === wanted && ++at > 0;
  const run = (allowed: RegExp) => {
    let taken = "";
    while (at < characters.length && allowed.test(characters[at] ?? "")) taken += characters[at++];
    return taken;
  };
  const quoted = () => {
    let taken = "";
    while (at < characters.length && !take('"')) {
      if (take("\\") && at >= characters.length) return undefined;
      const character = characters[at++] ?? "";
      if (character < " " || character === "\u007F") return undefined;
      taken += character;
    }
    return taken;
  };
  if (!take("<") || characters[at] === "@") return undefined;
  const localPart = take('"') ? quoted() : run(/[\w!#$%&'*+/=?^`{|}~.\u{80}-\u{10FFFF}-]/u);
  if (localPart === undefined || !take("@")) return undefined;
  const domain = run(/[A-Za-z0-9._\u{80}-\u{10FFFF}-]/u);
  return take(">") && at === characters.length ? { localPart, domain } : undefined;
}

type Choices = readonly [string, ...string[]];

const NAMES: Choices = [
  "alice",
  "Bob",
  "postmaster",
  "a.b",
  "o'neil",
  "müller",
  "x+y",
  ".a",
  "a.",
  "",
];
const HOSTS: Choices = [
  "example.com",
  "EXAMPLE.com",
  "evil.test",
  "kiosk.example",
  "bücher.example",
  "BÜCHER.example",
  "xn--bcher-kva.example",
  "sub.example.com",
  "example.com.evil.test",
  "notexample.com",
];
/** Hosts that look like ours, or are to be mapped to ours, or are none. */
const LOOK_ALIKES: Choices = [
  "example.com.",
  ".example.com",
  "example..com",
  "example.com\u3002evil.test",
  "example\uFF0Ecom",
  "ｅxample.com",
  "exa\u00ADmple.com",
  "exampl\u0435.com",
  "\u212Aiosk.example",
  "kio\u017Fk.example",
  "bu\u0308cher.example",
  "xn--example-.com",
  "example.xn--com-",
  "xn--bcher-kvb.example",
  "[127.0.0.1]",
  "[IPv6:::1]",
  "[IPv6:::ffff:192.0.2.1]",
  "[example.com]",
  "127.0.0.1",
  "0x7f000001",
  "2130706433",
  "example.com:25",
  "example.com#evil.test",
  "example.com/evil.test",
  "example.com,evil.test",
  "example.com\u0000.evil.test",
  "example.com\u200B",
  "\uFFFDexample.com",
];
const JOINTS: Choices = [
  "@",
  "%",
  "!",
  ":",
  ",",
  ".",
  "\\@",
  "\\",
  "/",
  "|",
  ";",
  "(",
  ")",
  " ",
  "=",
  "+",
];
const NOISE: Choices = [
  ...JOINTS,
  ...Array.from("\"<>[]`{}~#$&*?^'-_\t\r\n\u0000\u007F\u0080\u00A0\u2028\uFEFF\u202E"),
];

const quote = (text: string) => `"${text}"`;

function anyPath(random: Random): string {
  const name = () => random.pick(NAMES);
  const host = () => random.pick(random.oneIn(3) ? LOOK_ALIKES : HOSTS);
  const shapes: readonly [() => string, ...(() => string)[]] = [
    () => `${name()}@${host()}`,
    () => `${name()}%${host()}@${host()}`,
    () => `${host()}!${name()}@${host()}`,
    () => `${name()}@${host()}@${host()}`,
    () => `@${host()}:${name()}@${host()}`,
    () => `@${host()},@${host()}:${name()}@${host()}`,
    () => `${quote(`${name()}@${host()}`)}@${host()}`,
    () => `${quote(`${name()}${random.pick(NOISE)}${host()}`)}@${host()}`,
    () => `${quote(name())}@${host()}`,
    () => `${quote(name())}${random.pick(JOINTS)}${host()}@${host()}`,
    () => `${name()}${random.pick(JOINTS)}${host()}${random.pick(JOINTS)}${host()}`,
    () => `${name()}@${host()}${random.pick(NOISE)}${host()}`,
    () => `${name()}@${host()}> ${random.pick(NOISE)}<${name()}@${host()}`,
    () => random.pick(["postmaster", "Postmaster", '"postmaster"', name(), host()]),
    () => random.bytes(random.below(24)).toString("latin1"),
  ];
  let path = random.pick(shapes)();
  for (let changes = random.oneIn(2) ? 0 : random.below(4); changes > 0; changes--) {
    const at = random.below(path.length + 1);
    const gone = random.oneIn(3) ? random.below(3) : 0;
    const put = random.oneIn(5) ? "" : random.pick(random.oneIn(4) ? HOSTS : NOISE);
    path = path.slice(0, at) + put + path.slice(at + gone);
  }
  return path;
}
