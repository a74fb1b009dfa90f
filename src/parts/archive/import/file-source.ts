// One file: an mbox, or one message.

import type { FileHandle } from "node:fs/promises";
import { mboxItems } from "./mbox-items.ts";
import { octetsOfFile } from "./octets-of-file.ts";
import { readErrors, type Source, type SourceItem } from "./source.ts";

interface FileTraits {
  readonly size: number;
  /** The time of its last change, in ms since the epoch. */
  readonly time: number;
  readonly isMbox: boolean;
  readonly isMail: boolean;
}

export class FileSource implements Source {
  readonly name: string;
  readonly size: number;
  read = 0;
  readonly #file: FileHandle;
  readonly #traits: FileTraits;

  constructor(name: string, file: FileHandle, traits: FileTraits) {
    this.name = name;
    this.size = traits.size;
    this.#file = file;
    this.#traits = traits;
  }

  async *items(): AsyncGenerator<SourceItem> {
    const octets = octetsOfFile(this.#file, (octetsRead) => (this.read += octetsRead));
    const body = readErrors(octets, this.name);
    if (this.#traits.isMbox) return yield* mboxItems(body, this.name);
    const { isMail, time } = this.#traits;
    if (!isMail) return yield { kind: "refused", where: this.name, why: "it is no mail" };
    yield {
      kind: "message",
      where: this.name,
      folder: undefined,
      time,
      lineEnds: "look",
      body,
    };
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
