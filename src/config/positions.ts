// The line of each key, header and array element in a TOML text, because the TOML parser gives no positions for values.
// The text has been parsed without an error before, so nothing is checked here.
//
// Paths are those of the problems: "relay.hostname", "routers[2].driver", "transports.gmail.hosts[1]".

export interface Positions {
  /** Line of the path, or of the nearest table or list around it that is in the file; at least 1. */
  line(path: string): number;
}

export function indexPositions(text: string): Positions {
  const lines = new Map<string, number>();
  new Scanner(text, lines).document();
  return {
    line(path) {
      for (let at = path; at !== ""; at = parentOf(at)) {
        const line = lines.get(at);
        if (line !== undefined) return line;
      }
      return 1;
    },
  };
}

function parentOf(path: string): string {
  const cut = Math.max(path.lastIndexOf("."), path.lastIndexOf("["));
  return path.slice(0, Math.max(cut, 0));
}

const BLANK = /(?:[ \t\r\n\uFEFF]|#[^\n]*)*/y;
const SPACE = /[ \t]*/y;
const KEY_PART = /"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+/y;
const STRING = /"""(?:[^\\]|\\[^])*?"{3,5}(?!")|'''[^]*?'{3,5}(?!')|"(?:[^"\\]|\\.)*"|'[^']*'/y;
const BARE_VALUE = /[^,\]}#\r\n]*/y;

class Scanner {
  readonly #text: string;
  readonly #lines: Map<string, number>;
  /** Number of elements so far of each [[list of tables]]. */
  readonly #elements = new Map<string, number>();
  #at = 0;
  #line = 1;

  constructor(text: string, lines: Map<string, number>) {
    this.#text = text;
    this.#lines = lines;
  }

  document(): void {
    let table = "";
    for (this.#take(BLANK); this.#at < this.#text.length; this.#take(BLANK)) {
      const before = this.#at;
      if (this.#skip("[[")) table = this.#header(true);
      else if (this.#skip("[")) table = this.#header(false);
      else this.#pair(table);
      if (this.#at === before) return;
    }
  }

  #header(isElement: boolean): string {
    const line = this.#line;
    const parts = this.#key();
    this.#skip(isElement ? "]]" : "]");
    let path = "";
    for (const [index, part] of parts.entries()) {
      path = path === "" ? part : `${path}.${part}`;
      this.#note(path, line);
      const count = this.#elements.get(path) ?? 0;
      if (isElement && index === parts.length - 1) {
        this.#elements.set(path, count + 1);
        path = `${path}[${count}]`;
      } else if (count > 0) {
        path = `${path}[${count - 1}]`;
      }
      this.#note(path, line);
    }
    return path;
  }

  #pair(table: string): void {
    const line = this.#line;
    let path = table;
    for (const part of this.#key()) {
      path = path === "" ? part : `${path}.${part}`;
      this.#note(path, line);
    }
    this.#skip("=");
    this.#value(path);
  }

  #key(): string[] {
    const parts: string[] = [];
    do {
      this.#take(SPACE);
      parts.push(unquoted(this.#take(KEY_PART)));
      this.#take(SPACE);
    } while (this.#skip("."));
    return parts;
  }

  #value(path: string): void {
    this.#take(SPACE);
    if (this.#skip("[")) {
      this.#items("]", (index) => {
        this.#note(`${path}[${index}]`, this.#line);
        this.#value(`${path}[${index}]`);
      });
    } else if (this.#skip("{")) {
      this.#items("}", () => this.#pair(path));
    } else if (this.#take(STRING) === "") {
      this.#take(BARE_VALUE);
    }
  }

  /** Reads the items between two brackets, separated by commas, over any number of lines. */
  #items(close: string, item: (index: number) => void): void {
    this.#take(BLANK);
    for (let index = 0; !this.#skip(close); index++) {
      const before = this.#at;
      item(index);
      this.#take(BLANK);
      this.#skip(",");
      this.#take(BLANK);
      if (this.#at === before) return;
    }
  }

  #note(path: string, line: number): void {
    if (!this.#lines.has(path)) this.#lines.set(path, line);
  }

  #skip(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  /** Consumes and returns the text that matches here, which may be empty. Counts the lines in it. */
  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += taken.length;
    for (let at = taken.indexOf("\n"); at !== -1; at = taken.indexOf("\n", at + 1)) this.#line++;
    return taken;
  }
}

function unquoted(part: string): string {
  if (part.startsWith("'")) return part.slice(1, -1);
  return part.startsWith('"') ? part.slice(1, -1).replaceAll(/\\(["\\])/g, "$1") : part;
}
