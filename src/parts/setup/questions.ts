// Questions on the terminal. They go to stderr, so that stdout can be kept in a file. An answer that is wrong is asked
// for again; the end of the input ends the command.

import { createInterface, type Interface } from "node:readline";
import { printable } from "../../base/printable.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import type { Read } from "./answers.ts";

export interface Question<T> {
  readonly text: string;
  /** The answer to an empty line. */
  readonly proposal?: string | undefined;
  readonly read: (answer: string) => Read<T>;
}

/** Whether there is a person to ask. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

export class Questions implements Disposable {
  readonly #output: NodeJS.WritableStream;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;
  #hasEnded = false;

  constructor(
    input: NodeJS.ReadableStream = process.stdin,
    output: NodeJS.WritableStream = process.stderr,
  ) {
    this.#output = output;
    this.#lines = createInterface({ input, output });
    // Ctrl-C ends the input, and so the command.
    this.#lines.on("SIGINT", () => this.#lines.close());
    this.#lines.on("close", () => (this.#hasEnded = true));
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  async ask<T>({ text, proposal, read }: Question<T>): Promise<T> {
    for (;;) {
      this.#prompt(`${text}${proposal === undefined ? "" : ` [${proposal}]`}: `);
      const line = await this.#answers.next();
      if (line.done === true) {
        this.#output.write("\n");
        throw new CommandError("no answer; nothing was written", EXIT.notDone);
      }
      const answer = read(
        line.value.trim() === "" && proposal !== undefined ? proposal : line.value,
      );
      if ("ok" in answer) return answer.ok;
      this.#output.write(`${printable(answer.wrong)}\n`);
    }
  }

  /** Lines may still wait to be read when the input has ended, but readline prints no prompt then. */
  #prompt(text: string): void {
    if (this.#hasEnded) {
      this.#output.write(text);
      return;
    }
    this.#lines.setPrompt(text);
    this.#lines.prompt();
  }

  [Symbol.dispose](): void {
    this.#lines.close();
  }
}

export function readYes(answer: string): Read<boolean> {
  if (/^y(?:es)?$/i.test(answer.trim())) return { ok: true };
  return /^no?$/i.test(answer.trim()) ? { ok: false } : { wrong: 'answer "y" or "n"' };
}
