// Checks a DNS message before the codec reads it (RFC 1035 4.1). The codec follows pointers, record after record,
// unless they form a circle. A message made for it could keep it busy for more than a second.
//
// Invariant: a message that passes has at most RECORDS_MAX records, and every name in it ends after at most
// POINTERS_MAX pointers.

const HEADER = 12;
/** More than any mail domain has, and little work for the codec. */
const RECORDS_MAX = 1000;
const POINTERS_MAX = 32;

/** Octets in a record's data before its first name, by record type. */
const NAME_OFFSET: ReadonlyMap<number, number> = new Map([
  [2, 0], // NS
  [5, 0], // CNAME
  [6, 0], // SOA, two names
  [12, 0], // PTR
  [15, 2], // MX
  [33, 6], // SRV
  [46, 18], // RRSIG
]);
const SOA = 6;

/** Returns why the message must not be decoded; undefined when it may be. */
export function messageProblem(message: Buffer): string | undefined {
  try {
    walk(message);
    return undefined;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // Only Buffer's own errors have a code.
    return "code" in error ? "it ends too early" : error.message;
  }
}

/** Throws RangeError, as Buffer itself does at the end of the message. */
function walk(message: Buffer): void {
  const questions = message.readUInt16BE(4);
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  if (questions > 1) throw new RangeError(`${questions} questions`);
  if (records > RECORDS_MAX) throw new RangeError(`${records} records`);

  let offset = HEADER;
  if (questions === 1) offset = afterName(message, offset) + 4;
  for (let record = 0; record < records; record++) {
    offset = afterName(message, offset);
    const type = message.readUInt16BE(offset);
    const length = message.readUInt16BE(offset + 8);
    const start = offset + 10;
    offset = start + length;
    if (offset > message.length) throw new RangeError("a record goes over the end");
    const nameOffset = NAME_OFFSET.get(type);
    if (nameOffset === undefined) continue;
    const after = afterName(message, start + nameOffset);
    if (type === SOA) afterName(message, after);
  }
}

/** The offset after a name. A pointer must lead backwards, as in every compressed name. */
function afterName(message: Buffer, start: number): number {
  let offset = start;
  let after: number | undefined;
  for (let pointers = 0; ;) {
    const octet = message.readUInt8(offset);
    if (octet < 0xc0) {
      offset += octet + 1;
      if (octet === 0) return after ?? offset;
      continue;
    }
    const target = message.readUInt16BE(offset) & 0x3fff;
    after ??= offset + 2;
    pointers += 1;
    if (target >= offset || pointers > POINTERS_MAX) throw new RangeError("a name has no end");
    offset = target;
  }
}
