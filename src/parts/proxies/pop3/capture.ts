// A POP3 session after the login, with copies of what passes. The client gets the server's octets; the last line of a
// message waits until its copy is on disk.
//
// Invariants:
// - A client with `on_store_failure = "refuse"` never gets the last line of a message that could not be kept.
// - RETR is always a retrieval. TOP is one if its answer has the octets of LIST, or if the client asked for all lines.

import { commandOf, LINE_MAX } from "../protocol.ts";
import { nextCommand } from "../sequence.ts";
import type { Session } from "../session.ts";
import { type Copy, PIECE } from "../copies/copy.ts";
import type { Copying } from "../copies/keeper.ts";
import { MessageReader } from "./message-reader.ts";
import { isOk, listOf } from "./syntax.ts";

/** Octets that are read from the server at once. */
const CHUNK = 64 * 1024;
/** Lines of a TOP by which a client asks for the whole message, as fetchmail does. */
const ALL_LINES = 1_000_000;
/** Octets of a message that wait. By then the first piece of the copy is on disk. */
const HELD_MAX = 2 * PIECE + CHUNK;
const REFUSAL = "-ERR [SYS/TEMP] The message cannot be kept now, and so it cannot be given\r\n";

/** A retrieval is refused after a part of the message has gone to the client. */
class Refused extends Error {}

export class CapturingSession {
  readonly #session: Session;
  readonly #copying: Copying;

  constructor(session: Session, copying: Copying) {
    this.#session = session;
    this.#copying = copying;
  }

  /** Resolves when the session is over. */
  async run(): Promise<void> {
    for (;;) {
      const line = await nextCommand(this.#session);
      if (line === undefined) return;
      const { verb, rest } = commandOf(line);
      if (!(await this.#command(verb, rest, line))) return;
    }
  }

  /** Returns false when the session is to end. */
  async #command(verb: string, rest: string, line: Buffer): Promise<boolean> {
    const { client, server } = this.#session;
    const size = verb === "TOP" ? await this.#sizeOf(rest) : 0;
    server.write(line);
    const answer = await server.line(LINE_MAX);
    if (!isOk(answer)) {
      client.write(answer);
      return true;
    }
    switch (verb) {
      case "RETR":
        return this.#retrieve(answer, () => true);
      case "TOP":
        return this.#retrieve(answer, (octets) => octets >= size);
      case "CAPA": {
        const lines = (await listOf(server)).filter((one) => !/^STLS\b/i.test(one));
        client.write(`${answer.toString("latin1")}${[...lines, "."].join("\r\n")}\r\n`);
        return true;
      }
      case "LIST":
      case "UIDL":
      case "LANG":
        client.write(answer);
        if (rest.trim() === "") await this.#passList();
        return true;
      default:
        client.write(answer);
        return verb !== "QUIT";
    }
  }

  /** The octets that the answer to this TOP has at least if it brings the whole message. */
  async #sizeOf(rest: string): Promise<number> {
    const [message = "", lines = ""] = rest.trim().split(/ +/);
    if (!/^\d{1,10}$/.test(message)) return Infinity;
    if (Number(lines) >= ALL_LINES) return 0;
    const { server } = this.#session;
    server.write(`LIST ${message}\r\n`);
    const answer = await server.line(LINE_MAX);
    const size = /^\+OK \d+ (\d+)/i.exec(answer.toString("latin1"))?.[1];
    return size === undefined ? Infinity : Number(size);
  }

  async #passList(): Promise<void> {
    const reader = new MessageReader();
    for (;;) {
      const { raw, end } = reader.read(await this.#session.server.chunk(CHUNK));
      if (raw.length > 0) await this.#session.client.send(raw);
      if (end === undefined) continue;
      this.#session.server.giveBack(end.rest);
      this.#session.client.write(end.line);
      return;
    }
  }

  /** Passes a message. `isWhole` says whether so many octets are all of it. */
  async #retrieve(answer: Buffer, isWhole: (octets: number) => boolean): Promise<boolean> {
    const copy = this.#copying.begin();
    const passage = new Passage(this.#session, answer, copy);
    try {
      const last = await passage.read();
      if (!isWhole(copy.size)) {
        copy.abandon();
        await passage.release(last);
      } else if (this.#copying.judge(await passage.finished())) {
        await passage.release(last);
      } else {
        passage.refuse();
      }
      return true;
    } catch (error) {
      copy.abandon();
      if (error instanceof Refused) return false;
      throw error;
    }
  }
}

/** One message on its way. Up to HELD_MAX octets wait here until it is known whether the client may have them. */
class Passage {
  readonly #session: Session;
  readonly #copy: Copy;
  #held: Buffer[];
  #heldOctets = 0;
  #isHolding = true;
  #failure: string | undefined;

  constructor(session: Session, answer: Buffer, copy: Copy) {
    this.#session = session;
    this.#copy = copy;
    this.#held = [answer];
  }

  /** Reads the message up to its last line, and returns that. */
  async read(): Promise<Buffer> {
    const { server } = this.#session;
    const reader = new MessageReader();
    for (;;) {
      const { raw, message, end } = reader.read(await server.chunk(CHUNK));
      for (const piece of message) await this.#add(piece);
      await this.#pass(raw);
      if (end === undefined) continue;
      server.giveBack(end.rest);
      return end.line;
    }
  }

  async finished(): ReturnType<Copy["finish"]> {
    if (this.#failure === undefined) return this.#copy.finish();
    return { kind: "failed", why: this.#failure };
  }

  /** Gives the client the rest of the message. */
  async release(last: Buffer): Promise<void> {
    await this.#session.client.send(Buffer.concat([...this.#held, last]));
  }

  /** Throws Refused if a part of the message has gone to the client, which must not take it for the whole. */
  refuse(): void {
    if (!this.#isHolding) throw new Refused();
    this.#session.client.write(REFUSAL);
  }

  async #add(piece: Buffer): Promise<void> {
    if (this.#failure !== undefined) return;
    try {
      await this.#copy.add(piece);
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error);
    }
  }

  async #pass(raw: Buffer): Promise<void> {
    if (this.#failure !== undefined && this.#session.options.on_store_failure === "refuse") {
      if (!this.#isHolding) throw new Refused();
      this.#held = [];
      return;
    }
    if (!this.#isHolding) {
      await this.#session.client.send(raw);
      return;
    }
    this.#held.push(raw);
    this.#heldOctets += raw.length;
    if (this.#heldOctets <= HELD_MAX) return;
    this.#isHolding = false;
    await this.#session.client.send(Buffer.concat(this.#held));
    this.#held = [];
  }
}
