import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Client, Mailbox, RecipientRequest } from "../../src/mail/envelope.ts";
import { LoopShare } from "../../src/base/loop-share.ts";
import type { GateOptions } from "../../src/receive/gate/gate-options.ts";
import { Gate } from "../../src/receive/gate/gate.ts";
import { createReception } from "../../src/receive/receive.ts";
import { RecipientBudget } from "../../src/receive/expansion.ts";
import { builtInScanners } from "../../src/receive/content/built-in.ts";
import { headerBudgets } from "../../src/receive/header/header-budget.ts";
import { RelayRates } from "../../src/receive/relay-rates.ts";
import type { Routing } from "../../src/route/route.ts";
import type { Routings } from "../../src/route/routings.ts";
import type { MailRequest } from "../../src/smtp/server/command.ts";
import type { MailTransaction, MessageSink } from "../../src/smtp/server/reception.ts";
import { memorySpool } from "../../src/spool/memory/memory.ts";
import {
  type IncomingMessage,
  type NewMessage,
  SpoolError,
  type StoredMessage,
} from "../../src/spool/spool.ts";
import { LOCAL_ERROR, status, type Status, statusLine } from "../../src/mail/status.ts";
import { bench } from "../lists/support.ts";
import { manualClock } from "../support/clock.ts";
import { mailbox } from "../support/build.ts";
import { recordingLog, resolverAnswering } from "../support/services.ts";

interface Fault {
  /** At the second piece, the Received header being the first. */
  readonly atWrite?: "throw" | "reject";
  readonly atCommit?: Error;
}

/** A spool that shows what it was given, and does not work when it is told so. */
function faultySpool(fault: Fault = {}) {
  const spool = memorySpool(manualClock());
  const stored: { bytes: string; message: NewMessage; active: boolean }[] = [];
  let aborted = 0;
  let ids = 0;
  return {
    stored,
    get aborted() {
      return aborted;
    },
    nextId: () => `000000000${++ids}`,
    receive(): IncomingMessage {
      const incoming = spool.receive();
      let pieces = 0;
      return {
        write(piece) {
          if (++pieces < 2 || fault.atWrite === undefined) return incoming.write(piece);
          const error = new SpoolError("no space", true);
          if (fault.atWrite === "throw") throw error;
          return Promise.reject(error);
        },
        async commit(message, active) {
          if (fault.atCommit !== undefined) throw fault.atCommit;
          const committed = await incoming.commit(message, active);
          const bytes = committed.body.inline?.toString("latin1") ?? "";
          stored.push({ bytes, message, active });
          return committed;
        },
        abort() {
          aborted += 1;
          incoming.abort();
        },
      };
    },
  };
}

const CLIENT: Client = { address: "192.0.2.9", helo: "client.example.net" };
const CAROL: MailRequest = {
  sender: mailbox("carol@example.net"),
  eightBit: false,
  smtputf8: false,
};

const nothing: Routing = { deliveries: [], troubles: [], discarded: [] };
const MX_GONE = status(451, "4.3", "No answer from the DNS about example.net");
const NOBODY = status(550, "1.1", "No such user here");

function troubles(...all: readonly (readonly [status: Status, unseen: boolean])[]): Routing {
  return {
    ...nothing,
    troubles: all.map(([reply, unseen]) => ({
      kind: reply.code >= 500 ? "failed" : "deferred",
      mailbox: mailbox("x@example.com"),
      router: "r",
      unseen,
      status: reply,
    })),
  };
}

/** What the routers say of each local part; "nothing" is that they take it. */
const routings: Readonly<Record<string, Routing>> = {
  nobody: troubles([NOBODY, false]),
  unreadable: troubles([LOCAL_ERROR, false]),
  "copy-unreadable": troubles([LOCAL_ERROR, true]),
  "copy-failed": troubles([NOBODY, true]),
  "foreign-dns": troubles([MX_GONE, false]),
  looping: troubles([status(451, "4.6", "Routing loop"), false]),
  "foreign-and-ours": troubles([MX_GONE, false], [LOCAL_ERROR, false]),
};

/** "a-b-c" is an alias for three. */
function aliasOf({ localPart }: Mailbox): Routing | undefined {
  const names = localPart.split("-");
  if (names.length === 1) return undefined;
  const deliveries = names.map((name) => {
    const to = mailbox(`${name}@example.com`);
    return { router: "r", transport: "t", unseen: false, mailbox: to, original: to, account: {} };
  });
  return { ...nothing, deliveries };
}

const google: GateOptions["relay"][number] = {
  hosts: ["192.0.2.0/24"],
  sender_domains: ["*"],
  sender_local_parts: undefined,
  client_certificates: undefined,
  rate: undefined,
  sender_rate: undefined,
  require_tls: false,
  proof: { header: ["X-Unseen-Tenant: s3cret"], dkim: undefined },
  null_sender: "accept",
};

interface Desk {
  readonly spool: ReturnType<typeof faultySpool>;
  readonly log: ReturnType<typeof recordingLog>;
  /** Messages to be attempted at once, and how many were left to the queue. */
  readonly attempts: StoredMessage[];
  /** What goes with each of them. */
  readonly handed: (Routings | undefined)[];
  readonly queued: () => number;
  readonly begin: (mail?: MailRequest, client?: Client) => Promise<MailTransaction>;
}

function desk(fault: Fault = {}, room = true, budget = new RecipientBudget()): Desk {
  using here = bench();
  const spool = faultySpool(fault);
  const clock = manualClock();
  const log = recordingLog();
  const attempts: StoredMessage[] = [];
  const handed: (Routings | undefined)[] = [];
  let queued = 0;
  const gate = new Gate(
    { local_domains: ["example.com"], dnsbl: [], dnsbl_action: "refuse", relay: [google] },
    here.lists,
  );
  const reception = createReception({
    hostname: "mx.example.com",
    scanners: builtInScanners({
      receivedHeadersMax: 3,
      resolver: resolverAnswering({ kind: "no-such-name" }),
      share: new LoopShare(),
      clock,
    }),
    gate,
    route: (recipient) =>
      Promise.resolve(routings[recipient.localPart] ?? aliasOf(recipient) ?? nothing),
    spool,
    reserve: { hasRoomFor: () => true },
    headerBudgets: headerBudgets(),
    rates: new RelayRates([{ rate: undefined, sender_rate: { count: 2, window: 1000 } }], clock),
    clock,
    log,
    queue: {
      hasRoom: room,
      attempt(message, received) {
        attempts.push(message);
        handed.push(received?.routings);
      },
      wake: () => void queued++,
    },
    cutThrough: { passage: () => undefined },
    addressesMax: 5,
    recipients: budget,
  });
  return {
    spool,
    log,
    attempts,
    handed,
    queued: () => queued,
    async begin(mail = CAROL, client = CLIENT) {
      assert.equal(reception.connect(client), undefined);
      const answer = await reception.mail(client, mail);
      if ("code" in answer) throw new Error(statusLine(answer));
      return answer;
    },
  };
}

const rcpt = async (transaction: MailTransaction, address: string): Promise<string> => {
  const { code, enhanced } = await transaction.recipient({ mailbox: mailbox(address) });
  return `${code} ${enhanced}`;
};

async function finish(sink: MessageSink, ...pieces: readonly string[]): Promise<string> {
  for (const piece of pieces) await sink.write(Buffer.from(piece, "latin1"));
  return statusLine(await sink.finish());
}

const hops = (count: number) => "Received: x\r\n".repeat(count);
const MESSAGE = "Subject: hello\r\n\r\nbody\r\n";
const STRANGER: Client = { address: "203.0.113.9", helo: "stranger.test" };

describe("at RCPT", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["a recipient whom a router takes", "alice@example.com", "250 2.1.5"],
    ["one whom none takes", "nobody@example.com", "550 5.1.1"],
    ["one of whom we cannot tell", "unreadable@example.com", "451 4.3.0"],
    ["one whose copy has to wait", "copy-unreadable@example.com", "250 2.1.5"],
    ["one whose copy cannot be made", "copy-failed@example.com", "250 2.1.5"],
    ["one in a domain whose DNS does not answer", "foreign-dns@example.org", "250 2.1.5"],
    ["one of ours that leads to such a domain", "foreign-dns@example.com", "250 2.1.5"],
    [
      "one that leads to such a domain and to trouble of ours",
      "foreign-and-ours@example.com",
      "451 4.3.0",
    ],
    ["one that loops", "looping@example.com", "451 4.4.6"],
  ];
  for (const [what, address, reply] of cases) {
    test(`${what}: ${reply}`, async () => {
      assert.equal(await rcpt(await desk().begin(), address), reply);
    });
  }

  test("a stranger's recipient elsewhere is refused before any router is asked", async () => {
    const { begin, log } = desk();
    assert.equal(await rcpt(await begin(CAROL, STRANGER), "nobody@example.org"), "550 5.7.1");
    assert.deepEqual(log.named("recipient.refused"), [
      {
        client: "203.0.113.9",
        sender: "<carol@example.net>",
        recipient: "<nobody@example.org>",
        reply: "550 5.7.1 Relaying denied",
        why: "none",
      },
    ]);
  });
});

const takes = async (transaction: MailTransaction, ...names: readonly string[]) => {
  const replies: string[] = [];
  for (const name of names) replies.push(await rcpt(transaction, `${name}@example.com`));
  return replies;
};

describe("the addresses that one message leads to", () => {
  const OK = "250 2.1.5";
  const MORE = "452 4.5.3";

  test("count once, and a recipient that leads to too many more goes in another message", async () => {
    const { begin, spool, log } = desk();
    const transaction = await begin();
    const names = ["a-b-c", "b-c-d", "a-d", "d-e", "e-f", "alice", "f-g", "a-b-c"];
    assert.deepEqual(await takes(transaction, ...names), [OK, OK, OK, OK, MORE, OK, MORE, OK]);
    await finish(transaction.message(), MESSAGE);
    assert.equal(spool.stored[0]?.message.recipients.length, 6);
    assert.deepEqual(log.named("recipient.refused")[0], {
      client: CLIENT.address,
      sender: "<carol@example.net>",
      recipient: "<e-f@example.com>",
      reply: "452 4.5.3 Too many recipients, send the rest in another message",
      why: "local_domains: addresses",
    });
    assert.deepEqual(await takes(await begin(), "e-f", "f-g"), [OK, OK]);
  });

  test("may be more for the first recipient: what is too many of one alias the chain says", async () => {
    assert.deepEqual(await takes(await desk().begin(), "a-b-c-d-e-f", "a-b", "a-g"), [
      OK,
      MORE,
      MORE,
    ]);
  });
});

describe("what RCPT keeps, of all sessions together,", () => {
  const names = Array.from({ length: 400 }, (_, n) => `user${n}`);

  test("has a bound; who asks for little always gets it, and what is over is given back", async () => {
    const budget = new RecipientBudget(100_000);
    const { begin } = desk({}, true, budget);
    const greedy = await begin();
    const replies = await takes(greedy, ...names);
    const taken = replies.filter((reply) => reply.startsWith("250")).length;
    assert.ok(taken > 100 && taken < 300, String(taken));
    assert.ok(budget.kept <= 100_000);
    const other = await begin();
    assert.ok(
      (await takes(other, ...names.slice(0, 100))).every((reply) => reply.startsWith("250")),
    );
    assert.equal(await rcpt(greedy, "one-more@example.com"), "452 4.5.3");
    greedy.end?.();
    other.end?.();
    assert.equal(budget.kept, 0);
  });

  test("is for what routers have said only as long as half of it is free", async () => {
    const budget = new RecipientBudget(40_000);
    const { begin, handed } = desk({}, true, budget);
    const transaction = await begin();
    await takes(transaction, "a-b", "alice", "c-d", "a-d");
    await finish(transaction.message(), MESSAGE);
    assert.equal(handed.at(-1)?.all(4)?.length, 4);
    const other = await begin();
    await takes(other, ...names.slice(0, 40), "a-b", "c-d");
    await finish(other.message(), MESSAGE);
    assert.deepEqual([handed.at(-1)?.all(8)?.length, handed.at(-1)?.all(42)], [8, undefined]);
    transaction.end?.();
    other.end?.();
    assert.equal(budget.kept, 0);
  });

  test("is not taken for a recipient whose client has gone meanwhile", async () => {
    const budget = new RecipientBudget();
    const transaction = await desk({}, true, budget).begin();
    const reply = rcpt(transaction, "alice@example.com");
    transaction.end?.();
    await reply;
    assert.equal(budget.kept, 0);
  });
});

describe("the rate of a relay rule", () => {
  test("puts off the recipient that is one too many, and mail for us never", async () => {
    const { begin, log } = desk();
    const transaction = await begin();
    for (const name of ["a", "b"]) {
      assert.equal(await rcpt(transaction, `${name}@example.org`), "250 2.1.5");
    }
    assert.equal(await rcpt(transaction, "c@example.org"), "450 4.7.1");
    assert.equal(await rcpt(transaction, "alice@example.com"), "250 2.1.5");
    assert.match(JSON.stringify(log.named("recipient.refused")), /"why":"gate.relay\[0\]: rate"/);
  });

  test("does not count what is refused", async () => {
    const transaction = await desk().begin();
    for (let n = 0; n < 5; n++) await rcpt(transaction, "nobody@example.org");
    assert.equal(await rcpt(transaction, "a@example.org"), "250 2.1.5");
  });
});

describe("the envelope", () => {
  test("has every accepted recipient as it came, none merged, and no refused one", async () => {
    const { begin, spool } = desk();
    const transaction = await begin();
    const requests: RecipientRequest[] = [
      { mailbox: mailbox("Alice@example.com"), notify: "SUCCESS,DELAY", orcpt: "rfc822;a+2B" },
      { mailbox: mailbox("alice@example.com") },
      { mailbox: mailbox("alice@EXAMPLE.com") },
      { mailbox: mailbox("alice@example.com") },
    ];
    for (const request of requests) await transaction.recipient(request);
    await rcpt(transaction, "nobody@example.com");
    await finish(transaction.message(), MESSAGE);
    assert.deepEqual(spool.stored[0]?.message.recipients, requests);
  });

  test("has what the client said of the message", async () => {
    const { begin, spool } = desk();
    const mail: MailRequest = {
      sender: null,
      eightBit: true,
      smtputf8: true,
      ret: "HDRS",
      envid: "QQ+2B",
    };
    const transaction = await begin(mail, STRANGER);
    await rcpt(transaction, "alice@example.com");
    await finish(transaction.message(), MESSAGE);
    assert.deepEqual(spool.stored[0]?.message.envelope, {
      ...mail,
      id: "0000000001",
      client: STRANGER,
      relayed: false,
      receivedAt: Date.UTC(2026, 0, 1),
    });
  });
});

async function storedOf(mail: MailRequest, client: Client, recipients: readonly string[]) {
  const { begin, spool } = desk();
  const transaction = await begin(mail, client);
  for (const recipient of recipients) await rcpt(transaction, recipient);
  assert.match(await finish(transaction.message(), MESSAGE), /^250 2\.0\.0 Ok, queued as 0{9}1$/);
  return spool.stored[0]?.bytes ?? "";
}

describe("the message", () => {
  test("gets one Received header in front and is else as it came", async () => {
    const bytes = await storedOf(CAROL, CLIENT, ["alice@example.com"]);
    assert.equal(
      bytes.replace(/\t\w{3}, .*\r\n/, "\tDATE\r\n"),
      "Received: from client.example.net ([192.0.2.9])\r\n" +
        "\tby mx.example.com (unseen) with ESMTP id 0000000001\r\n" +
        "\tfor <alice@example.com>;\r\n\tDATE\r\n" +
        MESSAGE,
    );
    assert.match(bytes, /\tThu, 01 Jan 2026 \d\d:\d\d:\d\d [+-]\d{4}\r\n/);
  });

  test("does not tell one recipient of another", async () => {
    const bytes = await storedOf(CAROL, CLIENT, ["alice@example.com", "bob@example.com"]);
    assert.doesNotMatch(bytes, /for <|alice|bob/);
  });

  test("tells ESMTP from SMTP, which HELO begins", async () => {
    const basic = await storedOf(CAROL, { ...CLIENT, basic: true }, ["alice@example.com"]);
    assert.match(basic, /with SMTP id /);
  });

  test("says how it came: TLS, SMTPUTF8, IPv6", async () => {
    const tls = { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256" };
    const secured = await storedOf(CAROL, { ...CLIENT, tls }, ["alice@example.com"]);
    assert.match(secured, /with ESMTPS \(TLSv1\.3 TLS_AES_128_GCM_SHA256\) id /);
    const global = await storedOf({ ...CAROL, smtputf8: true }, CLIENT, ["alice@example.com"]);
    assert.match(global, /with UTF8SMTP id /);
    const six = await storedOf(CAROL, { ...CLIENT, address: "2001:db8::7" }, ["alice@example.com"]);
    assert.match(six, /^Received: from client\.example\.net \(\[IPv6:2001:db8::7\]\)\r\n/);
  });

  test("is attempted at once while there is room, and left to the queue else", async () => {
    const roomy = desk();
    const one = await roomy.begin();
    await rcpt(one, "alice@example.com");
    await finish(one.message(), MESSAGE);
    assert.deepEqual(
      [roomy.attempts.length, roomy.queued(), roomy.spool.stored[0]?.active],
      [1, 0, true],
    );

    const full = desk({}, false);
    const two = await full.begin();
    await rcpt(two, "alice@example.com");
    await finish(two.message(), MESSAGE);
    assert.deepEqual(
      [full.attempts.length, full.queued(), full.spool.stored[0]?.active],
      [0, 1, false],
    );
  });

  test("with too many hops is refused, and nothing of it is kept", async () => {
    const { begin, spool, log } = desk();
    const transaction = await begin();
    await rcpt(transaction, "alice@example.com");
    assert.match(await finish(transaction.message(), hops(3) + MESSAGE), /^250 /);
    assert.match(await finish(transaction.message(), hops(4) + MESSAGE), /^550 5\.4\.6 /);
    assert.deepEqual([spool.stored.length, spool.aborted], [1, 1]);
    assert.equal(log.named("message.refused").length, 1);
  });
});

const PROVEN = `X-Unseen-Tenant: s3cret\r\n${MESSAGE}`;

async function sent(mail: MailRequest, recipients: readonly string[], text: string) {
  const { begin, spool } = desk();
  const transaction = await begin(mail);
  for (const recipient of recipients) assert.equal(await rcpt(transaction, recipient), "250 2.1.5");
  const reply = await finish(transaction.message(), text);
  return { reply, bytes: spool.stored[0]?.bytes };
}

describe("the proof of a tenant", () => {
  test("lets the message out, and stays behind", async () => {
    const { reply, bytes } = await sent(CAROL, ["dave@example.org"], PROVEN);
    assert.match(reply, /^250 /);
    assert.ok(bytes?.endsWith(`\r\n${MESSAGE}`) && !bytes.includes("s3cret"));
  });

  test("missing refuses the message whole, though one recipient is ours", async () => {
    const { reply, bytes } = await sent(CAROL, ["alice@example.com", "dave@example.org"], MESSAGE);
    assert.match(reply, /^550 5\.7\.1 /);
    assert.equal(bytes, undefined);
  });

  test("is not asked of mail for us, or of a null sender that is let in, and stays behind there too", async () => {
    const nobody: MailRequest = { ...CAROL, sender: null };
    for (const [mail, to] of [
      [CAROL, "alice@example.com"],
      [nobody, "dave@example.org"],
    ] as const) {
      const { reply, bytes } = await sent(mail, [to], PROVEN);
      assert.match(reply, /^250 /);
      assert.ok(bytes?.includes("Subject: hello") && !bytes.includes("s3cret"), to);
    }
  });

  test("of a stranger is a header like any other", async () => {
    const { begin, spool } = desk();
    const transaction = await begin(CAROL, STRANGER);
    await rcpt(transaction, "alice@example.com");
    await finish(transaction.message(), PROVEN);
    assert.ok(spool.stored[0]?.bytes.endsWith(PROVEN));
  });
});

async function failing(fault: Fault): Promise<{ text: string; desk: Desk }> {
  const broken = desk(fault);
  const transaction = await broken.begin();
  await rcpt(transaction, "alice@example.com");
  const text = await finish(transaction.message(), MESSAGE, "QUIT\r\n", "more\r\n");
  return { text, desk: broken };
}

describe("a spool that fails", () => {
  test("at commit is 451, or 452 when it is full; nothing is attempted", async () => {
    const broken = await failing({ atCommit: new SpoolError("I/O error", false) });
    assert.match(broken.text, /^451 4\.3\.0 /);
    const full = await failing({ atCommit: new SpoolError("no space", true) });
    assert.match(full.text, /^452 4\.3\.1 /);
    assert.deepEqual([...broken.desk.attempts, ...full.desk.attempts], []);
    assert.equal(full.desk.log.named("spool.failed").length, 1);
  });

  test("while the message comes in is said at its end: what comes until then is text, not commands", async () => {
    for (const atWrite of ["throw", "reject"] as const) {
      const { text, desk: full } = await failing({ atWrite });
      assert.match(text, /^452 4\.3\.1 /, atWrite);
      assert.equal(full.spool.aborted, 1, atWrite);
      assert.deepEqual(full.spool.stored, []);
    }
  });
});

test("a message that the protocol refuses is logged, and one whose client is gone is not", async () => {
  const { begin, log, spool } = desk();
  const transaction = await begin();
  await rcpt(transaction, "alice@example.com");
  transaction.message().abort(status(552, "3.4", "too big"));
  transaction.message().abort();
  assert.equal(spool.aborted, 2);
  assert.deepEqual(log.named("message.refused"), [
    {
      client: "192.0.2.9",
      sender: "<carol@example.net>",
      recipients: ["alice@example.com"],
      reply: "552 5.3.4 too big",
      why: "content",
    },
  ]);
});
