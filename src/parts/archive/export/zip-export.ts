// An export as a zip of .eml files, octet for octet those of the archive.

import type { FileHandle } from "node:fs/promises";
import { ZipWriter } from "../formats/zip-writer.ts";
import { exportMarkText } from "../formats/export-mark.ts";
import { emlPath, type Layout } from "./file-names.ts";
import type { ExportWriter } from "./exported-message.ts";
import { OutputFile } from "./output-file.ts";

const PIECE = 256 * 1024;

export async function zipExport(path: string, layout: Layout): Promise<ExportWriter> {
  const output = await OutputFile.create(path);
  const scratch = await output.scratch();
  const waiting = new Waiting(scratch);
  const zip = new ZipWriter({
    write: (bytes) => output.write(bytes),
    truncate: (length) => output.truncate(length),
    writeLater: (bytes) => waiting.write(bytes),
    later: () => waiting.all(),
  });
  return {
    async add(opened) {
      const name = emlPath(opened.message, layout);
      await zip.add({ name, time: opened.time, size: opened.size, content: opened.octets() });
    },
    async finish() {
      await zip.end(exportMarkText({ accountLevels: layout.isFlat ? 0 : 1, query: layout.query }));
      await scratch.close();
      await output.finish();
    },
    async abandon() {
      await scratch.close();
      await output.abandon();
    },
  };
}

/** Octets that wait in a file until all of them are read back. */
class Waiting {
  readonly #file: FileHandle;
  readonly #pieces: Buffer[] = [];
  #length = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    if (this.#length >= PIECE) await this.#flush();
  }

  async *all(): AsyncGenerator<Buffer> {
    await this.#flush();
    for (let at = 0; ;) {
      const { buffer, bytesRead } = await this.#file.read(Buffer.alloc(PIECE), 0, PIECE, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async #flush(): Promise<void> {
    await this.#file.appendFile(Buffer.concat(this.#pieces));
    this.#pieces.length = 0;
    this.#length = 0;
  }
}
