// The search keys of IMAP (RFC 3501 and RFC 9051, section 6.4.4) as a condition.
//
// The index holds words, so a string matches from the beginning of a word on, and may end within one: SUBJECT "voic"
// finds "voice", not "invoice". Keys for what the archive does not hold are refused, never ignored.

import { suggestion } from "../../../options/options.ts";
import type { Condition, Range, TextField } from "./condition.ts";
import { dayAfter, dayOf, type Moment, startOfDay } from "./days.ts";
import { QueryProblem } from "./operators.ts";
import { Bounds, type Parsed, parsedBy, wordsCondition } from "./query.ts";

/** Reads IMAP's search keys. Days are those of the reader's zone. */
export function parseImapSearch(text: string, moment: Moment): Parsed {
  return parsedBy(text, () => new Parser(text, moment).query());
}

type ReadKey = (parser: Parser) => Condition;

const ALL: Condition = { kind: "all", of: [] };

const KEYS: Readonly<Record<string, ReadKey>> = {
  ALL: () => ALL,
  FROM: (parser) => parser.words("from"),
  TO: (parser) => parser.words("to"),
  CC: (parser) => parser.words("to"),
  BCC: (parser) => parser.words("to"),
  SUBJECT: (parser) => parser.words("subject"),
  TEXT: (parser) => parser.words(undefined),
  BODY: (parser) => parser.body(),
  HEADER: (parser) => parser.header(),
  SINCE: (parser) => ({ kind: "delivered", range: parser.since() }),
  BEFORE: (parser) => ({ kind: "delivered", range: parser.before() }),
  ON: (parser) => ({ kind: "delivered", range: parser.on() }),
  SENTSINCE: (parser) => ({ kind: "sent", range: parser.since() }),
  SENTBEFORE: (parser) => ({ kind: "sent", range: parser.before() }),
  SENTON: (parser) => ({ kind: "sent", range: parser.on() }),
  LARGER: (parser) => ({ kind: "size", range: { from: parser.count() + 1 } }),
  SMALLER: (parser) => ({ kind: "size", range: { before: parser.count() } }),
  OLDER: (parser) => ({ kind: "delivered", range: { before: parser.secondsAgo() } }),
  YOUNGER: (parser) => ({ kind: "delivered", range: { from: parser.secondsAgo() } }),
  OR: (parser) => ({ kind: "any", of: [parser.key(), parser.key()] }),
  NOT: (parser) => ({ kind: "not", of: parser.key() }),
};

const FLAGS = new Set(
  "ANSWERED DELETED DRAFT FLAGGED KEYWORD NEW OLD RECENT SEEN UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNKEYWORD UNSEEN".split(
    " ",
  ),
);

const HEADERS: Readonly<Record<string, TextField>> = {
  from: "from",
  to: "to",
  cc: "to",
  bcc: "to",
  subject: "subject",
};

const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");

class Parser {
  readonly #text: string;
  readonly #moment: Moment;
  readonly #bounds = new Bounds();
  #at = 0;

  constructor(text: string, moment: Moment) {
    this.#text = text;
    this.#moment = moment;
  }

  query(): Condition {
    this.#charset();
    const keys = this.#keys();
    if (this.#at < this.#text.length) throw new QueryProblem('")" without "("');
    const criteria = keys.filter((key) => key !== ALL);
    if (criteria.length === 0) {
      throw new QueryProblem("there is nothing to search for; ALL alone is no criterion");
    }
    return { kind: "all", of: criteria };
  }

  #charset(): void {
    const [written, charset] = /^\s*CHARSET\s+"?([^\s"]+)"?\s*/i.exec(this.#text) ?? [];
    if (written === undefined) return;
    if (!/^(utf-?8|us-ascii)$/i.test(charset ?? "")) {
      throw new QueryProblem(`CHARSET takes UTF-8 or US-ASCII, not "${charset}"`);
    }
    this.#at = written.length;
  }

  /** Keys up to a closing parenthesis. */
  #keys(): Condition[] {
    const keys: Condition[] = [];
    for (;;) {
      this.#skipBlanks();
      if (this.#at >= this.#text.length || this.#text[this.#at] === ")") return keys;
      keys.push(this.key());
    }
  }

  #skipBlanks(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at++;
  }

  key(): Condition {
    this.#bounds.addTerm();
    return this.#bounds.nested(() => {
      this.#skipBlanks();
      if (this.#text[this.#at] === "(") return this.#group();
      const word = this.#atom();
      const name = word.toUpperCase();
      const read = KEYS[name];
      if (read === undefined) throw unknownKey(word);
      return read(this);
    });
  }

  #group(): Condition {
    this.#at++;
    const of = this.#keys();
    if (this.#text[this.#at] !== ")") throw new QueryProblem('"(" without ")"');
    if (of.length === 0) throw new QueryProblem('"()" holds no key');
    this.#at++;
    return { kind: "all", of };
  }

  #atom(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !/[\s()"{]/.test(this.#text.charAt(this.#at)))
      this.#at++;
    if (this.#at > start) return this.#text.slice(start, this.#at);
    const found = this.#text.charAt(this.#at);
    throw new QueryProblem(
      found === "" ? "a key is missing at the end" : `a key is missing before ${found}`,
    );
  }

  /** An atom, a quoted string or a literal. */
  #string(key: string): string {
    this.#skipBlanks();
    const rest = this.#text.slice(this.#at);
    const [quoted, inside] = /^"((?:[^"\\]|\\.)*)"/s.exec(rest) ?? [];
    if (quoted !== undefined) {
      this.#at += quoted.length;
      return (inside ?? "").replaceAll(/\\(.)/gs, "$1");
    }
    if (rest.startsWith('"')) throw new QueryProblem("a quote is not closed");
    if (rest.startsWith("{")) return this.#literal(rest);
    if (rest === "" || /^[()]/.test(rest)) throw new QueryProblem(`${key} needs a string`);
    return this.#atom();
  }

  /** {COUNT}, a line end, and COUNT octets of UTF-8. */
  #literal(rest: string): string {
    const [head, count] = /^\{(\d{1,6})\+?\}\r?\n/.exec(rest) ?? [];
    const octets = Buffer.from(rest.slice(head?.length));
    if (head === undefined || octets.length < Number(count)) {
      throw new QueryProblem("a literal is shorter than it says");
    }
    const literal = octets.subarray(0, Number(count)).toString();
    this.#at += head.length + literal.length;
    return literal;
  }

  words(field: TextField | undefined): Condition {
    return prefixWords(this.#string(field?.toUpperCase() ?? "TEXT"), field);
  }

  body(): Condition {
    const text = this.#string("BODY");
    return { kind: "any", of: [prefixWords(text, "body"), prefixWords(text, "attachment")] };
  }

  header(): Condition {
    const name = this.#string("HEADER").toLowerCase();
    const value = this.#string("HEADER");
    if (name === "message-id") {
      return { kind: "messageId", id: value.trim().replace(/^<(.*)>$/s, "$1") };
    }
    const field = HEADERS[name];
    if (field !== undefined) return prefixWords(value, field);
    throw new QueryProblem(
      `HEADER: the archive holds From, To, Cc, Subject and Message-ID, not "${name}"`,
    );
  }

  since(): Range {
    return { from: startOfDay(this.#day(), this.#moment.zone) };
  }

  before(): Range {
    return { before: startOfDay(this.#day(), this.#moment.zone) };
  }

  on(): Range {
    const day = this.#day();
    const { zone } = this.#moment;
    return { from: startOfDay(day, zone), before: startOfDay(dayAfter(day), zone) };
  }

  #day() {
    const text = this.#string("a date key");
    const [, day, month = "", year] = /^ ?(\d{1,2})-([a-z]{3})-(\d{4})$/i.exec(text) ?? [];
    const found = dayOf(Number(year), MONTHS.indexOf(month.toLowerCase()) + 1, Number(day));
    if (found !== undefined) return found;
    throw new QueryProblem(`a date is written as 30-Nov-2026, not "${text}"`);
  }

  count(): number {
    const text = this.#string("a size or an age");
    if (/^\d{1,12}$/.test(text)) return Number(text);
    throw new QueryProblem(`IMAP counts octets and seconds in digits only, not "${text}"`);
  }

  secondsAgo(): number {
    return this.#moment.now - this.count() * 1000;
  }
}

/** Substrings, as far as words go. A text that ends after a word ends there. */
function prefixWords(text: string, field: TextField | undefined): Condition {
  return wordsCondition(text, /[\p{L}\p{N}\p{M}]$/u.test(text), field);
}

function unknownKey(word: string): QueryProblem {
  const name = word.toUpperCase();
  if (FLAGS.has(name)) return new QueryProblem(`${name}: the archive keeps no flags of messages`);
  if (name === "UID" || /^[\d*][\d:,*]*$/.test(name)) {
    return new QueryProblem(`${word}: messages in the archive have no numbers of IMAP`);
  }
  return new QueryProblem(`unknown key "${word}"${suggestion(name, Object.keys(KEYS))}`);
}
