// Writes a zip file as a stream: entry by entry, with their times in UTC, and with zip64 where sizes, offsets or the number
// of entries ask for it (PKWARE APPNOTE 6.3). The sums of a small entry stand before its content, those of a large one
// behind it.
//
// Invariant: memory does not grow with the number of entries. The central directory, which must come last, waits in a file
// of its own.

import { Readable } from "node:stream";
import { crc32, createDeflateRaw, deflateRawSync } from "node:zlib";

/** Octets that are written at the end of the file, in order. */
export interface ZipOutput {
  write(bytes: Buffer): Promise<void>;
  /** Writes octets of the central directory to the file in which they wait. */
  writeLater(bytes: Buffer): Promise<void>;
  /** The octets that wait, from the first on. */
  later(): AsyncIterable<Buffer>;
  /** Takes back everything behind the first `length` octets. */
  truncate(length: number): Promise<void>;
}

export interface ZipEntry {
  /** Slashes separate directories. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Octets of the content, as far as is known. */
  readonly size: number;
  readonly content: AsyncIterable<Buffer>;
}

const VERSION = { plain: 20, zip64: 45 };
const MADE_BY_UNIX = 3 << 8;
const DEFLATE = 8;
/** The name is UTF-8. */
const UTF_8 = 0x0800;
/** The sums stand behind the content. */
const SUMS_LATER = 0x0008;
const MAX_16 = 0xff_ff;
const MAX_32 = 0xff_ff_ff_ff;
/** Content from this many octets on gets zip64: compressed, it may be a little longer. */
const HUGE = MAX_32 - 16 * 1024 * 1024;
/** A regular file with mode 0640. */
const ATTRIBUTES = 0o100_640 * 2 ** 16;
/** Content up to this many octets is compressed in one call. */
const AT_ONCE = 256 * 1024;

export class ZipWriter {
  readonly #output: ZipOutput;
  #at = 0;
  #entries = 0;
  #directorySize = 0;

  constructor(output: ZipOutput) {
    this.#output = output;
  }

  /** If the content rejects, the zip is as it was before. */
  async add(entry: ZipEntry): Promise<void> {
    const before = this.#at;
    try {
      await this.#add(entry);
    } catch (error) {
      await this.#output.truncate(before);
      this.#at = before;
      throw error;
    }
  }

  async #add(entry: ZipEntry): Promise<void> {
    const pieces = entry.content[Symbol.asyncIterator]();
    const first: Buffer[] = [];
    let length = 0;
    while (length <= AT_ONCE) {
      const { done, value } = await pieces.next();
      if (done === true) return this.#addSmall(entry, Buffer.concat(first));
      first.push(value);
      length += value.length;
    }
    return this.#addLarge(entry, first, { [Symbol.asyncIterator]: () => pieces });
  }

  async #addSmall({ name, time }: ZipEntry, content: Buffer): Promise<void> {
    const bytes = deflateRawSync(content);
    const sums = { crc: crc32(content), size: content.length, compressed: bytes.length };
    const placed = { name: Buffer.from(name), time, at: this.#at, flags: UTF_8 };
    await this.#write(Buffer.concat([localHeader(placed, sums, false), bytes]));
    await this.#note(placed, sums);
  }

  async #addLarge(
    { name, time, size: expected }: ZipEntry,
    first: readonly Buffer[],
    rest: AsyncIterable<Buffer>,
  ): Promise<void> {
    const placed = { name: Buffer.from(name), time, at: this.#at, flags: UTF_8 | SUMS_LATER };
    const isHuge = expected >= HUGE;
    await this.#write(localHeader(placed, { crc: 0, size: 0, compressed: 0 }, isHuge));
    const from = this.#at;
    const measured = { crc: 0, size: 0 };
    for await (const piece of deflated(counted(first, rest, measured))) await this.#write(piece);
    const sums = { ...measured, compressed: this.#at - from };
    if (!isHuge && sums.size >= MAX_32) throw new Error(`${name} has grown beyond 4 GiB`);
    await this.#write(descriptor(sums, isHuge));
    await this.#note(placed, sums);
  }

  async #note(entry: Placed, sums: Sums): Promise<void> {
    const record = centralHeader(entry, sums);
    await this.#output.writeLater(record);
    this.#directorySize += record.length;
    this.#entries += 1;
  }

  /** The central directory. `comment` is ASCII. */
  async end(comment: string): Promise<void> {
    const at = this.#at;
    for await (const piece of this.#output.later()) await this.#write(piece);
    const directory = { at, size: this.#directorySize, entries: this.#entries };
    await this.#write(endOfDirectory(directory, this.#at, Buffer.from(comment)));
  }

  async #write(bytes: Buffer): Promise<void> {
    await this.#output.write(bytes);
    this.#at += bytes.length;
  }
}

/** Counts what goes by. */
async function* counted(
  first: readonly Buffer[],
  rest: AsyncIterable<Buffer>,
  measured: { crc: number; size: number },
): AsyncGenerator<Buffer> {
  const count = (piece: Buffer): Buffer => {
    measured.crc = crc32(piece, measured.crc);
    measured.size += piece.length;
    return piece;
  };
  for (const piece of first) yield count(piece);
  for await (const piece of rest) yield count(piece);
}

/** An error of the content is thrown after the last octet that came before it. */
async function* deflated(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = Readable.from(content, { objectMode: false });
  const stream = createDeflateRaw();
  source.on("error", (error) => stream.destroy(error));
  for await (const piece of source.pipe(stream)) yield piece;
}

interface Placed {
  readonly name: Buffer;
  readonly time: number;
  /** The offset of the local header. */
  readonly at: number;
  readonly flags: number;
}

interface Sums {
  readonly crc: number;
  readonly size: number;
  readonly compressed: number;
}

/** `isHuge`: the sums behind the content have 8 octets each, which the zip64 field announces. */
function localHeader({ name, time, flags }: Placed, sums: Sums, isHuge: boolean): Buffer {
  const extra = Buffer.concat([...(isHuge ? [zip64Field([0, 0])] : []), timeField(time)]);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(isHuge ? VERSION.zip64 : VERSION.plain, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt16LE(DEFLATE, 8);
  header.writeUInt32LE(dosTime(time), 10);
  header.writeUInt32LE(sums.crc, 14);
  header.writeUInt32LE(isHuge ? MAX_32 : sums.compressed, 18);
  header.writeUInt32LE(isHuge ? MAX_32 : sums.size, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra]);
}

function descriptor({ crc, size, compressed }: Sums, isHuge: boolean): Buffer {
  const bytes = Buffer.alloc(isHuge ? 24 : 16);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(crc, 4);
  if (isHuge) {
    bytes.writeBigUInt64LE(BigInt(compressed), 8);
    bytes.writeBigUInt64LE(BigInt(size), 16);
  } else {
    bytes.writeUInt32LE(compressed, 8);
    bytes.writeUInt32LE(size, 12);
  }
  return bytes;
}

function centralHeader({ name, time, at, flags }: Placed, { crc, size, compressed }: Sums): Buffer {
  const large = [size, compressed, at].filter((value) => value >= MAX_32);
  const extra = Buffer.concat([
    ...(large.length === 0 ? [] : [zip64Field(large)]),
    timeField(time),
  ]);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  const version = large.length === 0 ? VERSION.plain : VERSION.zip64;
  header.writeUInt16LE(MADE_BY_UNIX | version, 4);
  header.writeUInt16LE(version, 6);
  header.writeUInt16LE(flags, 8);
  header.writeUInt16LE(DEFLATE, 10);
  header.writeUInt32LE(dosTime(time), 12);
  header.writeUInt32LE(crc, 16);
  header.writeUInt32LE(Math.min(compressed, MAX_32), 20);
  header.writeUInt32LE(Math.min(size, MAX_32), 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(ATTRIBUTES, 38);
  header.writeUInt32LE(Math.min(at, MAX_32), 42);
  return Buffer.concat([header, name, extra]);
}

/** Header id 1: the values that do not fit into the fixed fields, in their order. */
function zip64Field(values: readonly number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * values.length);
  field.writeUInt16LE(0x0001, 0);
  field.writeUInt16LE(8 * values.length, 2);
  for (const [index, value] of values.entries()) {
    field.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  }
  return field;
}

/** Header id "UT": the time of the last change in UTC, in seconds. */
function timeField(time: number): Buffer {
  const field = Buffer.alloc(9);
  field.writeUInt16LE(0x5455, 0);
  field.writeUInt16LE(5, 2);
  field.writeUInt8(1, 4);
  field.writeInt32LE(Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.floor(time / 1000))), 5);
  return field;
}

/** Time, then date, in UTC: from 1980 on, in steps of two seconds. */
function dosTime(time: number): number {
  const date = new Date(Math.max(time, Date.UTC(1980, 0, 1)));
  const clock =
    (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
  const year = Math.min(date.getUTCFullYear() - 1980, 127);
  return (
    ((((year << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate()) << 16) | clock) >>> 0
  );
}

function endOfDirectory(
  directory: { readonly at: number; readonly size: number; readonly entries: number },
  at: number,
  comment: Buffer,
): Buffer {
  const { entries, size } = directory;
  const isLarge = entries >= MAX_16 || size >= MAX_32 || directory.at >= MAX_32;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, MAX_16), 8);
  end.writeUInt16LE(Math.min(entries, MAX_16), 10);
  end.writeUInt32LE(Math.min(size, MAX_32), 12);
  end.writeUInt32LE(Math.min(directory.at, MAX_32), 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...(isLarge ? [zip64End(directory, at)] : []), end, comment]);
}

/** The zip64 end of the central directory at `at`, and its locator. */
function zip64End(
  directory: { readonly at: number; readonly size: number; readonly entries: number },
  at: number,
): Buffer {
  const end = Buffer.alloc(56 + 20);
  end.writeUInt32LE(0x06064b50, 0);
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(MADE_BY_UNIX | VERSION.zip64, 12);
  end.writeUInt16LE(VERSION.zip64, 14);
  end.writeBigUInt64LE(BigInt(directory.entries), 24);
  end.writeBigUInt64LE(BigInt(directory.entries), 32);
  end.writeBigUInt64LE(BigInt(directory.size), 40);
  end.writeBigUInt64LE(BigInt(directory.at), 48);
  end.writeUInt32LE(0x07064b50, 56);
  end.writeBigUInt64LE(BigInt(at), 64);
  end.writeUInt32LE(1, 72);
  return end;
}
