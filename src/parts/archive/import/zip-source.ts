// A zip of .eml files or of mboxes (as Google Takeout gives it), read by its central directory.
//
// Invariants:
//
// - Memory does not grow with the number or the size of the entries.
// - A bomb is cut off: entries that share octets of the file end the source, and an entry that unpacks to more than
//   RATIO_MAX times its octets is refused.

import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import type { Entry, ZipFile } from "yauzl";
import { MARK_FILE, parseExportMark } from "../formats/export-mark.ts";
import { folderOfPath } from "../formats/folder-path.ts";
import { mboxItems } from "./mbox-items.ts";
import { octetsOfFile } from "./octets-of-file.ts";
import { readErrors, type Source, SourceError, type SourceItem } from "./source.ts";

/** Mail of any kind is packed to a fiftieth at best. Small entries are let pass. */
const RATIO_MAX = 200;
const SMALL = 16 * 1024 * 1024;

export class ZipSource implements Source {
  readonly name: string;
  readonly size: number;
  read = 0;
  readonly #file: FileHandle;

  constructor(name: string, file: FileHandle, size: number) {
    this.name = name;
    this.size = size;
    this.#file = file;
  }

  async *items(): AsyncGenerator<SourceItem> {
    const zip = await this.#opened();
    const mark = parseExportMark(textOf(zip.comment));
    try {
      for await (const entry of zip.eachEntry()) {
        this.read += entry.compressedSize;
        if (this.read > this.size) {
          throw new SourceError(this.name, "it is a zip bomb: its entries share octets");
        }
        yield* this.#entry(zip, entry, mark);
      }
    } catch (error) {
      if (error instanceof SourceError) throw error;
      throw this.#broken(error);
    } finally {
      zip.close();
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #opened(): Promise<ZipFile> {
    try {
      return await openZip(this.#file, this.size);
    } catch (error) {
      throw this.#broken(error);
    }
  }

  async *#entry(
    zip: ZipFile,
    entry: Entry,
    mark: ReturnType<typeof parseExportMark>,
  ): AsyncGenerator<SourceItem> {
    const path = nameOf(entry);
    const where = `${this.name}: ${path}`;
    const names = path.split("/").filter((part) => part !== "" && part !== "." && part !== "..");
    const file = names.at(-1) ?? "";
    if (path.endsWith("/") || file === MARK_FILE) return;
    const isMaildir = ["cur", "new"].includes(names.at(-2) ?? "");
    const kind = kindOf(file, isMaildir);
    if (kind === undefined) return yield { kind: "skipped", where };
    const why = refusalOf(entry, kind);
    if (why !== undefined) return yield { kind: "refused", where, why };
    const above = names.slice(mark?.accountLevels ?? 0, isMaildir ? -2 : -1).join("/");
    const body = this.#octets(zip, entry, where);
    if (kind === "mbox") {
      const folder = file.replace(/\.(?:mbox|mbx)$/i, "");
      return yield* mboxItems(body, where, above === "" ? folder : `${above}/${folder}`);
    }
    yield {
      kind: "message",
      where,
      folder: mark === undefined ? undefined : folderOfPath(above) || "INBOX",
      place: above || undefined,
      time: timeOf(entry),
      lineEnds: mark === undefined ? "look" : "kept",
      body,
    };
  }

  async *#octets(zip: ZipFile, entry: Entry, where: string): AsyncGenerator<Buffer> {
    yield* readErrors(
      (async function* () {
        let sum = 0;
        for await (const piece of await zip.openReadStreamPromise(entry)) {
          sum = crc32(piece, sum);
          yield piece;
        }
        if (sum !== entry.crc32) throw new Error("its checksum is wrong");
      })(),
      where,
    );
  }

  #broken(error: unknown): SourceError {
    const why = error instanceof Error ? error.message : String(error);
    return new SourceError(this.name, `the zip is broken: ${why}`, error);
  }
}

/** The library would close a plain descriptor by itself. */
async function openZip(file: FileHandle, size: number): Promise<ZipFile> {
  const { fromRandomAccessReaderPromise, RandomAccessReader } = await import("yauzl");
  class Octets extends RandomAccessReader {
    override ["_readStreamForRange"](start: number, end: number): Readable {
      return Readable.from(
        octetsOfFile(file, () => undefined, start, end),
        { objectMode: false },
      );
    }
    override close(callback: (error: Error | null) => void): void {
      callback(null);
    }
  }
  const options = { autoClose: false, lazyEntries: true, decodeStrings: false };
  return fromRandomAccessReaderPromise(new Octets(), size, options);
}

function kindOf(file: string, isMaildir: boolean): "eml" | "mbox" | undefined {
  if (file.startsWith(".")) return undefined;
  if (/\.(?:mbox|mbx)$/i.test(file)) return "mbox";
  return isMaildir || /\.eml$/i.test(file) ? "eml" : undefined;
}

function refusalOf(entry: Entry, kind: "eml" | "mbox"): string | undefined {
  if (entry.isEncrypted()) return "it is encrypted";
  if (![0, 8].includes(entry.compressionMethod)) {
    return `it is packed by method ${entry.compressionMethod}, and only deflate is known`;
  }
  const { compressedSize, uncompressedSize } = entry;
  const isBomb = uncompressedSize > SMALL && uncompressedSize > RATIO_MAX * compressedSize;
  if (isBomb) return `it unpacks to ${uncompressedSize} octets from ${compressedSize}: a zip bomb`;
  return kind === "eml" && uncompressedSize > MESSAGE_MAX
    ? "the message is larger than 1 GiB"
    : undefined;
}

const MESSAGE_MAX = 1024 * 1024 * 1024;

/** Names are octets: UTF-8, or what the packer's machine had. Each is read in one way, so no two become one. */
function nameOf(entry: Entry): string {
  const text = entry.fileNameRaw.toString("utf8");
  const isUtf8 = Buffer.from(text).equals(entry.fileNameRaw);
  return (isUtf8 ? text : entry.fileNameRaw.toString("latin1")).replaceAll("\\", "/");
}

function timeOf(entry: Entry): number | undefined {
  const time = entry.getLastModDate().getTime();
  return Number.isNaN(time) ? undefined : time;
}

/** Without decoding of strings it is a buffer, whatever its type says. */
function textOf(comment: unknown): string {
  return Buffer.isBuffer(comment) ? comment.toString("latin1") : String(comment);
}
