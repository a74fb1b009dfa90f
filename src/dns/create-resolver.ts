// The resolver: asks the servers in turn, remembers their answers, and asks once when several callers want the same.
//
// Invariants: a question ends within `totalTimeout`. Only an answer in the sense of wire.ts is final. Everything else
// is "temporary", and nothing is thrown. The cache is bounded in octets and in time: an answer is asked again after an
// hour at most.

import { randomInt } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { askTcp, askUdp, type Patience, type Server } from "./exchange.ts";
import { QuestionRoom } from "./question-room.ts";
import { answerLength, answerSize } from "./answer-size.ts";
import type { Answer, Resolver } from "./dns.ts";
import { parseServer, systemServers } from "./servers.ts";
import { TtlCache } from "../base/ttl-cache.ts";
import {
  A,
  AAAA,
  decodeReply,
  encodeQuery,
  MX,
  PTR,
  type Query,
  type RecordType,
  type Reply,
  TLSA,
  TXT,
} from "./wire.ts";

export interface ResolverOptions {
  readonly clock: Clock;
  /** As in [dns]: "127.0.0.1:5353". When absent or empty, the servers of resolv.conf. */
  readonly servers?: readonly string[];
  /** The servers validate DNSSEC and the way to them is safe, so their verdict "secure" is believed. */
  readonly dnssec?: boolean;
  /** Milliseconds for one query to one server; default 5 s. */
  readonly tryTimeout?: number;
  /** Milliseconds for all tries together; default 15 s. */
  readonly totalTimeout?: number;
  /** How often every server is asked; default twice. */
  readonly rounds?: number;
  /** Entries of the cache for each type of record; default 10 000. */
  readonly cacheEntriesMax?: number;
  /** Octets of the cache for each type of record; default 8 MiB. */
  readonly cacheOctetsMax?: number;
  /** Questions that may be under way at once; default 1000. */
  readonly questionsMax?: number;
  /** Lookups that may wait for an answer at once; default 100 000. */
  readonly askersMax?: number;
}

const SECOND = 1000;
/** A record of TTL 0 is kept this long, so that it serves all recipients of one message. */
const TTL_LEAST = 5 * SECOND;
/** Longest time that any answer is remembered, whatever its TTL; also for negative answers (RFC 2308 5). */
const TTL_MOST = 3600 * SECOND;
const CACHE_OCTETS = 8 * 1024 * 1024;
/** A longer answer is used but not remembered: no mail host, key or policy needs more. */
const REMEMBERED_LENGTH_MAX = 4096;
const REMEMBERED_RECORDS_MAX = 100;
/**
 * An error that took this long to find out is remembered for TROUBLE_TTL. Otherwise each of many messages would wait as
 * long, one after the other.
 */
const SLOW_TROUBLE = SECOND;
const TROUBLE_TTL = 5 * SECOND;

export function createResolver(options: ResolverOptions): Resolver {
  const { clock, questionsMax, askersMax } = options;
  const room = new QuestionRoom(clock, questionsMax, askersMax);
  const ask = createAsker(options, room);
  const lookup = <T>(type: RecordType<T>) => createLookup(type, ask, room, options);
  return {
    mx: lookup(MX),
    a: lookup(A),
    aaaa: lookup(AAAA),
    txt: lookup(TXT),
    tlsa: lookup(TLSA),
    ptr: lookup(PTR),
    async close() {
      room.close();
    },
  };
}

interface Asked<T> {
  readonly answer: Answer<T>;
  /** Milliseconds. */
  readonly ttl: number;
}

type Asker = <T>(type: RecordType<T>, name: string) => Promise<Asked<T>>;

function createLookup<T>(
  type: RecordType<T>,
  ask: Asker,
  room: QuestionRoom,
  { clock, cacheEntriesMax = 10_000, cacheOctetsMax = CACHE_OCTETS }: ResolverOptions,
): (name: string) => Promise<Answer<T>> {
  // Every entry has a least size, so the number of entries is bounded too.
  const sizeLeast = cacheOctetsMax / cacheEntriesMax;
  const cache = new TtlCache<Answer<T>>(clock, cacheOctetsMax, (name, answer) =>
    Math.max(sizeLeast, answerSize(name, answer)),
  );
  const underway = new Map<string, Promise<Answer<T>>>();

  const fetch = async (name: string) => {
    try {
      const { answer, ttl } = await ask(type, name);
      if (isRemembered(answer)) cache.set(name, answer, ttl);
      return answer;
    } finally {
      underway.delete(name);
    }
  };
  return (written) => {
    const name = queryName(written);
    if (name === undefined) return Promise.resolve(temporary(`"${written}" is no domain name`));
    const known = cache.get(name);
    if (known !== undefined) return Promise.resolve(known);
    if (!room.admit()) return Promise.resolve(temporary(TOO_MANY));
    let answer = underway.get(name);
    if (answer === undefined) {
      answer = fetch(name);
      underway.set(name, answer);
    }
    return answer.finally(() => room.leave());
  };
}

const TOO_MANY = "too many DNS questions at once";

function isRemembered(answer: Answer<unknown>): boolean {
  return (
    answer.kind !== "found" ||
    (answer.records.length <= REMEMBERED_RECORDS_MAX &&
      answerLength(answer) <= REMEMBERED_LENGTH_MAX)
  );
}

/**
 * Returns the name in lower case, or undefined if it cannot be asked. Allowed are letters, digits, "-" and "_" in
 * labels of 1 to 63, 253 in all (RFC 1035 2.3.4).
 */
function queryName(written: string): string | undefined {
  const name = (written.endsWith(".") ? written.slice(0, -1) : written).toLowerCase();
  return name.length <= 253 && /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(name)
    ? name
    : undefined;
}

function createAsker(options: ResolverOptions, room: QuestionRoom): Asker {
  const { clock, tryTimeout = 5 * SECOND, totalTimeout = 15 * SECOND, rounds = 2 } = options;
  const { dnssec = false } = options;
  const fixed = (options.servers ?? []).map(requireServer);
  let servers = fixed.length > 0 ? fixed : systemServers();
  /**
   * The server that answered last is asked first. So a server that is down costs its timeout once, not at every
   * question.
   */
  let preferred = 0;

  const askInTurn = async <T>(type: RecordType<T>, name: string, patience: () => Patience) => {
    let error = "no DNS server";
    for (let turn = 0; turn < rounds * servers.length; turn++) {
      const { timeout, signal } = patience();
      const index = (preferred + turn) % servers.length;
      const server = servers[index];
      if (server === undefined || timeout <= 0 || signal.aborted) break;
      const reply = await askServer(server, { type, name, dnssec }, patience);
      if (reply.kind === "answer") {
        preferred = index;
        return { answer: reply.answer, ttl: keepFor(reply) };
      }
      error = `${reply.kind === "trouble" ? reply.error : reply.kind} (${server.address})`;
    }
    // The machine may have moved to another network since resolv.conf was read.
    if (fixed.length === 0) servers = systemServers();
    return error;
  };

  return async (type, name) => {
    const started = clock.monotonic();
    const turn = await room.enter(totalTimeout);
    if (turn === undefined) return { answer: temporary(TOO_MANY), ttl: 0 };
    const { signal } = turn;
    try {
      const asked = await askInTurn(type, name, () => {
        const left = started + totalTimeout - clock.monotonic();
        return { clock, timeout: Math.min(tryTimeout, left), signal };
      });
      if (typeof asked !== "string") return asked;
      const slow = clock.monotonic() - started >= SLOW_TROUBLE;
      return { answer: temporary(asked), ttl: slow ? TROUBLE_TTL : 0 };
    } finally {
      turn.end();
    }
  };
}

function requireServer(text: string): Server {
  const server = parseServer(text);
  if (server === undefined) throw new Error(`${JSON.stringify(text)} is no DNS server`);
  return server;
}

/**
 * Asks one server until its answer is complete: without EDNS if the server refuses EDNS, over TCP if the answer is
 * truncated.
 */
async function askServer<T>(
  server: Server,
  question: Omit<Query<T>, "id" | "edns">,
  patience: () => Patience,
): Promise<Reply<T>> {
  const attempt = (edns: boolean, over: typeof askUdp) => {
    const query: Query<T> = { ...question, edns, id: randomInt(0x1_0000) };
    const read = (message: Buffer) => decodeReply(message, query);
    return over(server, encodeQuery(query), read, patience());
  };
  try {
    let reply = await attempt(true, askUdp);
    const edns = reply.kind !== "no-edns";
    if (!edns) reply = await attempt(false, askUdp);
    return reply.kind === "truncated" ? await attempt(edns, askTcp) : reply;
  } catch (error) {
    return { kind: "trouble", error: error instanceof Error ? error.message : String(error) };
  }
}

function keepFor({ ttl }: { readonly ttl: number }): number {
  return Math.min(Math.max(ttl * SECOND, TTL_LEAST), TTL_MOST);
}

function temporary(error: string): Answer<never> {
  return { kind: "temporary", error };
}
