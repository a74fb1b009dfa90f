// Unique names for files in a Maildir: time, delivery, process, count and host, as https://cr.yp.to/proto/maildir.html
// asks for, with a random number against equal process ids in containers. No name has a colon, a slash or a leading
// dot. The key of a delivery is in the name, so that its file can be found again in new/ or cur/.

import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Clock } from "../base/clock.ts";
import type { Envelope, MessageId } from "../mail/envelope.ts";

/** A name with its tag must fit into the 255 bytes of a directory entry. */
const HOST_MAX = 100;

const KEY = /E([0-9a-z]+)G[0-9a-f]{8}(?=P)/;

export class FileNames {
  readonly #clock: Clock;
  readonly #host: string;
  readonly #process = `P${process.pid}Q`;
  readonly #random = `R${randomBytes(8).toString("hex")}`;
  #count = 0;

  constructor(clock: Clock, hostname: string) {
    this.#clock = clock;
    this.#host = hostname.slice(0, HOST_MAX).replaceAll("/", "\\057").replaceAll(":", "\\072");
  }

  /**
   * The key of a copy: the same for every attempt of a message in one Maildir, which gets one copy. It is the id of the
   * message, and a sum over the values that differ if another relay has a message with the same id.
   */
  key({ id, sender, size }: Envelope): string {
    const sum = crc32(JSON.stringify([this.#host, sender?.address, size]));
    return `E${id}G${sum.toString(16).padStart(8, "0")}`;
  }

  /** "1767225600.M123000E0123456789Gc0ffee00P4711Q1R00c0ffee00c0ffee.mx.example.com" */
  next(key: string): string {
    const now = this.#clock.now();
    const seconds = Math.floor(now / 1000);
    const micros = (now - seconds * 1000) * 1000;
    this.#count += 1;
    return `${seconds}.M${micros}${key}${this.#process}${this.#count}${this.#random}.${this.#host}`;
  }
}

/** The id of the message in the name of a file of ours. Another relay may have given the same one. */
export function idInName(name: string): MessageId | undefined {
  return KEY.exec(name)?.[1];
}

/** The key in the name of a file of ours. */
export function keyIn(name: string): string | undefined {
  return KEY.exec(name)?.[0];
}
