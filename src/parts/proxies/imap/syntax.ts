// As much of IMAP's syntax as the time before the login needs (RFC 9051 9).

export interface ImapCommand {
  readonly tag: string;
  /** In upper case. */
  readonly name: string;
}

/** Undefined if the line is not a command. */
export function parseCommand(line: Buffer): ImapCommand | undefined {
  const match = /^([^\s(){%*"\\+]+) ([A-Za-z]+)(?= |\r?\n$)/.exec(line.toString("latin1"));
  const [, tag, name] = match ?? [];
  return tag === undefined || name === undefined ? undefined : { tag, name: name.toUpperCase() };
}

export interface Literal {
  readonly size: number;
  /** The client waits for a continuation. */
  readonly waits: boolean;
}

/** The literal that a line announces at its end. */
export function literalOf(line: Buffer): Literal | undefined {
  const tail = line.subarray(-32).toString("latin1");
  const [, size, plus] = /\{(\d{1,15})(\+?)\}\r?\n$/.exec(tail) ?? [];
  return size === undefined ? undefined : { size: Number(size), waits: plus === "" };
}

/** "OK", "NO", "BAD" of the answer to this command; undefined for any other line. */
export function outcomeOf(line: Buffer, tag: string): string | undefined {
  const text = line.toString("latin1");
  if (!text.startsWith(`${tag} `)) return undefined;
  return /^[A-Za-z]+/.exec(text.slice(tag.length + 1))?.[0].toUpperCase();
}

/** The arguments of a whole command after its name, literals included: atoms, quoted strings, literals. As UTF-8. */
export function stringsOf(command: Buffer): string[] {
  const found: string[] = [];
  let at = afterWords(command, 2);
  while (at !== undefined && at < command.length) {
    const string = stringAt(command, at);
    if (string === undefined) break;
    found.push(string.value.toString("utf8"));
    at = command[string.end] === SPACE ? string.end + 1 : undefined;
  }
  return found;
}

const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;

function afterWords(command: Buffer, words: number): number | undefined {
  let at = 0;
  for (let word = 0; word < words; word++) {
    const space = command.indexOf(SPACE, at);
    if (space === -1) return undefined;
    at = space + 1;
  }
  return at;
}

interface Found {
  readonly value: Buffer;
  readonly end: number;
}

function stringAt(command: Buffer, at: number): Found | undefined {
  if (command[at] === QUOTE) return quotedAt(command, at + 1);
  if (command[at] === BRACE) return literalAt(command, at);
  let end = at;
  while (end < command.length && !isEnd(command[end])) end += 1;
  return end === at ? undefined : { value: command.subarray(at, end), end };
}

function isEnd(octet: number | undefined): boolean {
  return octet === SPACE || octet === 0x0d || octet === 0x0a;
}

function quotedAt(command: Buffer, start: number): Found | undefined {
  const octets: number[] = [];
  for (let at = start; at < command.length; at++) {
    let octet = command[at];
    if (octet === QUOTE) return { value: Buffer.from(octets), end: at + 1 };
    if (octet === BACKSLASH) octet = command[++at];
    if (octet !== undefined) octets.push(octet);
  }
  return undefined;
}

function literalAt(command: Buffer, at: number): Found | undefined {
  const head = command.subarray(at, at + 24).toString("latin1");
  const [whole, size] = /^\{(\d{1,15})\+?\}\r?\n/.exec(head) ?? [];
  if (whole === undefined) return undefined;
  const start = at + whole.length;
  const end = start + Number(size);
  return end > command.length ? undefined : { value: command.subarray(start, end), end };
}
