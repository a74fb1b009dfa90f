// A reception between a gate, a chain by names, and a spool in memory that fails as it is told.

import assert from "node:assert/strict";
import type { Client, Mailbox } from "../../src/mail/envelope.ts";
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
import type { MailRequest } from "../../src/smtp/server/reception.ts";
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

export interface Fault {
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

export const CLIENT: Client = { address: "192.0.2.9", helo: "client.example.net" };

export const CAROL: MailRequest = {
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

export interface Desk {
  readonly spool: ReturnType<typeof faultySpool>;
  readonly log: ReturnType<typeof recordingLog>;
  /** Messages to be attempted at once, and how many were left to the queue. */
  readonly attempts: StoredMessage[];
  /** What goes with each of them. */
  readonly handed: (Routings | undefined)[];
  readonly queued: () => number;
  readonly begin: (mail?: MailRequest, client?: Client) => Promise<MailTransaction>;
}

export function desk(fault: Fault = {}, room = true, budget = new RecipientBudget()): Desk {
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

export const rcpt = async (transaction: MailTransaction, address: string): Promise<string> => {
  const { code, enhanced } = await transaction.recipient({ mailbox: mailbox(address) });
  return `${code} ${enhanced}`;
};

export async function finish(sink: MessageSink, ...pieces: readonly string[]): Promise<string> {
  for (const piece of pieces) await sink.write(Buffer.from(piece, "latin1"));
  return statusLine(await sink.finish());
}

export const MESSAGE = "Subject: hello\r\n\r\nbody\r\n";

export const STRANGER: Client = { address: "203.0.113.9", helo: "stranger.test" };
