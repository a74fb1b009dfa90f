// The query language: words, phrases, operators, "-", OR and parentheses. A text becomes a condition, or a problem that
// says what to write instead.
//
// Invariants: a mistake is never an empty result, and no term is dropped. A query always holds a criterion. The length,
// the number of terms and the depth of a query are bounded.

import type { Condition, TextField } from "./condition.ts";
import type { Moment } from "./days.ts";
import { isTextField, operatorOf, OPERATORS, QueryProblem } from "./operators.ts";
import { queryWords } from "./tokens.ts";

export type Parsed = { readonly condition: Condition } | { readonly problem: string };

const MAX_LENGTH = 4000;
const MAX_TERMS = 100;
const MAX_DEPTH = 20;

/** Reads a query. `moment` fixes days and ages. */
export function parseQuery(text: string, moment: Moment): Parsed {
  return parsedBy(text, () => new Parser(text, moment).query());
}

/** Runs a parser. Its problem becomes a value. */
export function parsedBy(text: string, parse: () => Condition): Parsed {
  if (text.length > MAX_LENGTH) {
    return { problem: `the query is longer than ${MAX_LENGTH} characters` };
  }
  try {
    return { condition: parse() };
  } catch (error) {
    if (error instanceof QueryProblem) return { problem: error.message };
    throw error;
  }
}

/** Counts terms and depth, so that a query stays small. */
export class Bounds {
  #terms = 0;
  #depth = 0;

  addTerm(): void {
    if (++this.#terms > MAX_TERMS) throw new QueryProblem(`more than ${MAX_TERMS} terms`);
  }

  nested<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw new QueryProblem(`more than ${MAX_DEPTH} levels deep`);
    const result = read();
    this.#depth--;
    return result;
  }
}

const QUOTE = /["“”„]/;

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
    const condition = this.#terms(undefined);
    if (this.#at < this.#text.length) {
      throw new QueryProblem('")" without "("; to search for it as text, write it in quotes');
    }
    return condition;
  }

  /** Terms up to a closing parenthesis. OR binds closer than AND, as in Gmail: `a b OR c` is `a (b OR c)`. */
  #terms(field: TextField | undefined): Condition {
    const groups: Condition[][] = [];
    let isAlternative = false;
    let isOpen = false;
    for (;;) {
      const keyword = this.#keyword();
      if (keyword !== undefined) {
        if (isOpen || groups.length === 0) throw joinProblem(keyword);
        isOpen = true;
        isAlternative = keyword === "OR";
        continue;
      }
      if (this.#isAtEnd()) break;
      const term = this.#term(field);
      if (isAlternative) groups.at(-1)?.push(term);
      else groups.push([term]);
      isAlternative = false;
      isOpen = false;
    }
    if (isOpen) throw joinProblem(isAlternative ? "OR" : "AND");
    if (groups.length === 0) throw new QueryProblem("there is nothing to search for");
    return single(
      "all",
      groups.map((group) => single("any", group)),
    );
  }

  /** OR and AND in capitals stand between terms; `NOT` is written as "-". */
  #keyword(): string | undefined {
    this.#skipBlanks();
    const [, keyword] =
      /^(OR|AND|NOT)(?=[\s()"]|$)/.exec(this.#text.slice(this.#at, this.#at + 4)) ?? [];
    if (keyword === "NOT") {
      throw new QueryProblem(
        'to exclude a term, write "-" before it; to search for "NOT", write "not"',
      );
    }
    this.#at += keyword?.length ?? 0;
    return keyword;
  }

  #skipBlanks(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at++;
  }

  #isAtEnd(): boolean {
    return this.#at >= this.#text.length || this.#text[this.#at] === ")";
  }

  #term(field: TextField | undefined): Condition {
    this.#bounds.addTerm();
    const isExcluded = this.#minus();
    const condition = this.#wanted(field);
    return isExcluded ? { kind: "not", of: condition } : condition;
  }

  /** Text programs turn "-" into a dash of their own. That must not become a search for the word. */
  #minus(): boolean {
    const sign = this.#text.charAt(this.#at);
    const next = this.#text.charAt(this.#at + 1);
    if (/[‐‑‒–—−]/.test(sign) && /[\p{L}\p{N}"“(]/u.test(next)) {
      throw new QueryProblem(`to exclude a term, write "-" before it, not "${sign}"`);
    }
    if (sign !== "-" || next === "" || /\s/.test(next)) return false;
    this.#at++;
    return true;
  }

  #wanted(field: TextField | undefined): Condition {
    if (this.#text[this.#at] === "(") return this.#group(field);
    if (QUOTE.test(this.#text.charAt(this.#at))) return this.#phrase(field);
    const word = this.#word();
    const name = operatorOf(word);
    if (name === undefined) return wordsOf(word, field);
    if (field !== undefined) {
      throw new QueryProblem(`"${word}" stands inside ${field}:(…); write it outside`);
    }
    this.#at -= word.length - name.length - 1;
    return this.#operator(name);
  }

  #operator(name: string): Condition {
    const next = this.#text.charAt(this.#at);
    if (isTextField(name)) {
      if (next === "(") return this.#group(name);
      if (QUOTE.test(next)) return this.#phrase(name);
      return wordsOf(this.#value(name), name);
    }
    const value = QUOTE.test(next) ? this.#quoted() : this.#value(name);
    if (value.trim() === "") throw valueProblem(name);
    const read = OPERATORS[name];
    if (read === undefined) throw new Error(`no operator ${name}`);
    return read(value.trim(), this.#moment, name);
  }

  #value(name: string): string {
    const value = this.#word();
    if (value === "") throw valueProblem(name);
    return value;
  }

  #group(field: TextField | undefined): Condition {
    this.#at++;
    const condition = this.#bounds.nested(() => this.#terms(field));
    if (this.#text[this.#at] !== ")") throw new QueryProblem('"(" without ")"');
    this.#at++;
    return condition;
  }

  /** Text up to a blank, a quote or a parenthesis. */
  #word(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !/[\s"“”„()]/.test(this.#text.charAt(this.#at)))
      this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #quoted(): string {
    const start = ++this.#at;
    while (this.#at < this.#text.length && !QUOTE.test(this.#text.charAt(this.#at))) this.#at++;
    if (this.#at >= this.#text.length) throw new QueryProblem("a quote is not closed");
    return this.#text.slice(start, this.#at++);
  }

  /** A "*" before or after the closing quote makes the last word a beginning. */
  #phrase(field: TextField | undefined): Condition {
    const phrase = this.#quoted();
    const isPrefix = this.#text[this.#at] === "*";
    if (isPrefix) this.#at++;
    return wordsCondition(phrase, isPrefix || PREFIX.test(phrase), field);
  }
}

function single(kind: "all" | "any", of: readonly Condition[]): Condition {
  const [only] = of;
  return only !== undefined && of.length === 1 ? only : { kind, of };
}

const joinProblem = (keyword: string) =>
  new QueryProblem(
    `${keyword} needs a term on both sides; to search for the word, write it in small letters`,
  );

const valueProblem = (name: string) =>
  new QueryProblem(`${name}: needs a value right after the colon`);

const PREFIX = /[\p{L}\p{N}\p{M}]\*$/u;

/** A word outside quotes. */
function wordsOf(word: string, field: TextField | undefined): Condition {
  const isPrefix = PREFIX.test(word);
  if (word.slice(0, isPrefix ? -1 : undefined).includes("*") && queryWords(word) !== undefined) {
    throw new QueryProblem(
      `"${word}": "*" may only stand at the end of a word; to search for the text, write it in quotes`,
    );
  }
  return wordsCondition(word, isPrefix, field);
}

/** Throws QueryProblem if the text holds no word. */
export function wordsCondition(
  text: string,
  isPrefix: boolean,
  field: TextField | undefined,
): Condition {
  const words = queryWords(text);
  if (words === undefined) {
    throw new QueryProblem(`"${text}" holds no letter or digit to search for`);
  }
  return {
    kind: "words",
    words: { tokens: words.tokens, isPrefix: words.isPrefix || isPrefix },
    ...(field !== undefined && { field }),
  };
}
