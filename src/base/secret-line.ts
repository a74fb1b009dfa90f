// A secret that a person types or a program pipes in: one line, of which a terminal shows nothing.

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const BACKSPACE = /[\b\u007f]/;

/** The first line of standard input without its line end. Reads little more than `max` octets. */
export async function firstInputLine(max: number): Promise<string> {
  const read: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    const piece = Buffer.from(chunk);
    read.push(piece);
    length += piece.length;
    if (length > max || piece.includes("\n")) break;
  }
  const text = Buffer.concat(read).toString("utf8");
  const end = text.indexOf("\n");
  return end < 0 ? text : text.slice(0, end).replace(/\r$/, "");
}

/** One line from the terminal, which shows none of it. Undefined if the person gives no answer. */
export async function askSecretLine(question: string): Promise<string | undefined> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stdin.resume();
  try {
    return await new Promise<string | undefined>((resolve) => {
      let line = "";
      const end = (then: () => void) => {
        stdin.off("data", onKeys);
        stdin.off("end", onEnd);
        then();
      };
      const onEnd = () => end(() => resolve(undefined));
      const onKeys = (keys: string) => {
        const characters = Array.from(keys);
        for (const [index, key] of characters.entries()) {
          if (key === "\r" || key === "\n") {
            const rest = characters.slice(index + 1).join("");
            if (rest !== "") stdin.unshift(rest);
            return end(() => resolve(line));
          }
          if (key === CTRL_C || key === CTRL_D) return end(() => resolve(undefined));
          line = BACKSPACE.test(key) ? Array.from(line).slice(0, -1).join("") : line + key;
        }
      };
      stdin.on("data", onKeys);
      stdin.on("end", onEnd);
    });
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
}
