// The content of a message that a user sends, on its way to the relay. The header section is held until its end, and
// then goes on with its changes; the rest streams.

import type { MaybePromise } from "../../base/maybe-promise.ts";
import type { Mailbox } from "../../mail/envelope.ts";
import { LOCAL_ERROR, status, type Status } from "../../mail/status.ts";
import type { MessageSink } from "../../smtp/server/reception.ts";
import { type HeaderMeans, submittedHeader } from "./header.ts";

/** Octets of the longest header section. A message to 1000 recipients has some 60 000. */
const HEADER_MAX = 512 * 1024;
const HEADER_TOO_BIG = status(552, "3.4", "The header section is too big");
const EMPTY_LINE = Buffer.from("\r\n\r\n");
const CRLF = EMPTY_LINE.subarray(2);

export interface MessageMeans extends HeaderMeans {
  /** The refusal if the user may not send as one of them. */
  refusalOf(authors: readonly Mailbox[]): Promise<Status | undefined>;
}

export class SubmittedMessage implements MessageSink {
  readonly #sink: MessageSink;
  readonly #means: MessageMeans;
  /** What came of the header section, behind a CRLF; undefined when it has gone on. */
  #held: Buffer | undefined = CRLF;
  #refusal: Status | undefined;

  constructor(sink: MessageSink, means: MessageMeans) {
    this.#sink = sink;
    this.#means = means;
  }

  write(piece: Buffer): MaybePromise<void> {
    if (this.#refusal !== undefined) return undefined;
    if (this.#held === undefined) return this.#sink.write(piece);
    const from = Math.max(0, this.#held.length - EMPTY_LINE.length + 1);
    this.#held = Buffer.concat([this.#held, piece]);
    const at = this.#held.indexOf(EMPTY_LINE, from);
    if (at !== -1) return this.#header(this.#held, at + CRLF.length);
    if (this.#held.length > HEADER_MAX) this.#refuse(HEADER_TOO_BIG);
    return undefined;
  }

  /** `end` is the position of the empty line in `all`. */
  async #header(all: Buffer, end: number): Promise<void> {
    this.#held = undefined;
    const header = submittedHeader(all.subarray(CRLF.length, end), this.#means);
    if ("code" in header) return this.#refuse(header);
    const refusal = await this.#means.refusalOf(header.authors);
    if (refusal !== undefined) return this.#refuse(refusal);
    await this.#sink.write(Buffer.concat([header.octets, all.subarray(end)]));
  }

  #refuse(reply: Status): void {
    this.#refusal = reply;
    this.#held = undefined;
  }

  async finish(): Promise<Status> {
    try {
      if (this.#held !== undefined) await this.#header(this.#held, this.#held.length);
    } catch (error) {
      this.#sink.abort(LOCAL_ERROR);
      throw error;
    }
    if (this.#refusal === undefined) return this.#sink.finish();
    this.#sink.abort(this.#refusal);
    return this.#refusal;
  }

  abort(reply?: Status): void {
    this.#refusal ??= reply ?? LOCAL_ERROR;
    this.#held = undefined;
    this.#sink.abort(reply);
  }
}
