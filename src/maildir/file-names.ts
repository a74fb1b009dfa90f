// Unique names for files in a Maildir: time, process, count and host, as https://cr.yp.to/proto/maildir.html wants
// them, with a random number against equal process ids in containers. No name has a colon, a slash or a leading dot.

import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";

/** A name with its tag must fit into the 255 bytes of a directory entry. */
const HOST_MAX = 100;

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

  /** "1767225600.M123000P4711Q1R00c0ffee00c0ffee.mx.example.com" */
  next(): string {
    const now = this.#clock.now();
    const seconds = Math.floor(now / 1000);
    const micros = (now - seconds * 1000) * 1000;
    this.#count += 1;
    return `${seconds}.M${micros}${this.#process}${this.#count}${this.#random}.${this.#host}`;
  }
}
