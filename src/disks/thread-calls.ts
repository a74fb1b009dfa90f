// The system calls of one delivery, made in the threads of its Maildir's lane.

import { constants } from "node:fs";
import type { DiskRequest, Look } from "./disk-request.ts";
import type { FileCalls, NewFile } from "../base/durable/file-calls.ts";
import type { DiskTurn } from "./maildir-disks.ts";

export class ThreadCalls implements FileCalls {
  /** Absent if the executor offers no `place`. */
  readonly place?: (file: NewFile) => Promise<void>;
  readonly #turn: DiskTurn;

  constructor(turn: DiskTurn) {
    this.#turn = turn;
    if (!turn.places) return;
    this.place = async (file) => {
      try {
        await turn.ask({ op: "place", ...file });
        turn.hasFile = true;
      } catch (error) {
        turn.hasFile = error instanceof Error && "unsynced" in error;
        throw error;
      }
    };
  }

  async open(path: string, flags: number, mode?: number): Promise<number> {
    const fd = await this.#number({ op: "open", path, flags, mode });
    if ((flags & constants.O_CREAT) !== 0) this.#turn.hasFile = true;
    return fd;
  }

  async write(fd: number, bytes: Buffer, offset: number, length: number) {
    // The thread takes the buffer over, so it must not be a part of another buffer.
    const own = new Uint8Array(length);
    own.set(bytes.subarray(offset, offset + length));
    return { bytesWritten: await this.#number({ op: "write", fd, bytes: own }) };
  }

  async fsync(fd: number): Promise<void> {
    await this.#turn.ask({ op: "fsync", fd });
  }

  async close(fd: number): Promise<void> {
    await this.#turn.ask({ op: "close", fd });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#turn.ask({ op: "rename", from, to });
  }

  async unlink(path: string): Promise<void> {
    await this.#turn.ask({ op: "unlink", path });
  }

  async mkdir(path: string, mode: number): Promise<void> {
    await this.#turn.ask({ op: "mkdir", path, mode });
  }

  async access(path: string, mode: number): Promise<void> {
    await this.#turn.ask({ op: "access", path, mode });
  }

  async *names(path: string): AsyncIterable<string> {
    const found: (readonly string[])[] = [];
    await this.#turn.ask({ op: "names", path }, (names) => found.push(names));
    for (const names of found) yield* names;
  }

  lstat(path: string): Promise<Look> {
    return this.#look({ op: "lstat", path });
  }

  fstat(fd: number): Promise<Look> {
    return this.#look({ op: "fstat", fd });
  }

  async #number(request: DiskRequest): Promise<number> {
    const value = await this.#turn.ask(request);
    if (typeof value !== "number") throw new TypeError(`${request.op} gave no number`);
    return value;
  }

  async #look(request: DiskRequest): Promise<Look> {
    const value = await this.#turn.ask(request);
    if (typeof value !== "object") throw new TypeError(`${request.op} gave no look`);
    return value;
  }
}
