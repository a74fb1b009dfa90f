// The output of the demo, in 88 columns. A promise is printed with a mark and counted; other lines are narration.

import { styleText } from "node:util";

const WIDTH = 88;
const LABEL = 8;
/** Columns for a text between its label and its mark. */
const ROOM = WIDTH - LABEL - 9;

type Style = Parameters<typeof styleText>[0];

/** The text in a style; plain if stdout is not a terminal or NO_COLOR is set. */
function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

export class Page {
  #kept = 0;
  #broken = 0;
  #scenes = 0;

  get kept(): number {
    return this.#kept;
  }

  get broken(): number {
    return this.#broken;
  }

  title(name: string, ...lines: readonly string[]): void {
    print();
    print(`  ${styled("bold", name)}`);
    for (const line of lines) print(`  ${line}`);
  }

  say(line: string): void {
    print(`  ${line}`);
  }

  picture(lines: readonly string[]): void {
    print();
    for (const line of lines) print(`  ${styled("cyan", line)}`.trimEnd());
  }

  scene(title: string, why: string): void {
    this.#scenes++;
    print();
    print(styled("dim", ` ${"─".repeat(WIDTH - 2)}`));
    print(`  ${styled("bold", `${this.#scenes}  ${title}`)}`);
    print(`     ${styled("dim", why)}`);
    print();
  }

  /** Prints a label and a text; a long text continues on the next line. */
  line(label: string, text: string, mark = ""): void {
    const lines = wrapped(text);
    for (const [index, part] of lines.entries()) {
      const shownLabel = styled("dim", (index === 0 ? label : "").padEnd(LABEL));
      const isLast = index === lines.length - 1;
      print(`     ${shownLabel} ${isLast && mark !== "" ? part.padEnd(ROOM) + mark : part}`);
    }
  }

  /** Prints the output of a program unchanged. */
  quote(command: string, output: string): void {
    const lines = output.trimEnd().split("\n");
    print();
    print(`     ${styled("bold", `$ ${command}`)}`);
    for (const line of lines) print(`     ${styled("cyan", line)}`.trimEnd());
    print();
  }

  gap(): void {
    print();
  }

  /** Prints and counts one promise, which `holds` or not. */
  promise(holds: boolean, label: string, text: string): void {
    if (holds) this.#kept++;
    else this.#broken++;
    this.line(label, text, holds ? styled("green", " ✔") : styled(["red", "bold"], " ✘ BROKEN"));
  }

  summary(...lines: readonly string[]): void {
    print();
    print(styled("dim", ` ${"─".repeat(WIDTH - 2)}`));
    const verdict =
      this.#broken === 0
        ? styled(["green", "bold"], `All ${this.#kept} promises were kept.`)
        : styled(["red", "bold"], `${this.#broken} promises were broken, ${this.#kept} kept.`);
    print(`  ${verdict}`);
    print();
    for (const line of lines) print(`  ${line}`.trimEnd());
    print();
  }
}

/** The lines of a text, cut at spaces where the room ends. */
function wrapped(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.pop() ?? "";
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= ROOM || line === "") lines.push(longer);
    else lines.push(line, word);
  }
  return lines;
}

/** A long name without its middle. */
export function shortened(name: string): string {
  if (name.length <= ROOM) return name;
  const tail = name.slice(-16);
  return `${name.slice(0, ROOM - tail.length - 1)}…${tail}`;
}
