// Passwords that a command reads: twice from the terminal, without an echo, or the first line of standard input.
//
// Invariant: nothing is trimmed but the line end, and no more than LINE_MAX octets are read.

import { CommandError, EXIT } from "../../contract/exit.ts";

/** Octets. */
const LINE_MAX = 4096;
/** Octets of a password, so that every client can send it. */
const PASSWORD_MAX = 1024;

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const BACKSPACE = /[\b\u007f]/;

/** Throws CommandError if the password cannot be used. */
export async function readPassword(address: string): Promise<string> {
  const password = process.stdin.isTTY ? await askedTwice(address) : await firstLine();
  if (password === "") fail("the password is empty");
  if (Buffer.byteLength(password) > PASSWORD_MAX) fail("the password has more than 1024 octets");
  if (/[\p{Cc}\uFFFD]/u.test(password)) fail("the password has a control character");
  return password;
}

function fail(what: string): never {
  throw new CommandError(`${what}; nothing was changed`, EXIT.notDone);
}

async function askedTwice(address: string): Promise<string> {
  const first = await asked(`Password for ${address}: `);
  if (first !== "" && first !== (await asked("The same again: "))) fail("the passwords differ");
  return first;
}

async function firstLine(): Promise<string> {
  const read: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    const piece = Buffer.from(chunk);
    read.push(piece);
    length += piece.length;
    if (length > LINE_MAX || piece.includes("\n")) break;
  }
  const text = Buffer.concat(read).toString("utf8");
  const end = text.indexOf("\n");
  return end < 0 ? text : text.slice(0, end).replace(/\r$/, "");
}

/** One line from the terminal. The terminal shows none of it. */
async function asked(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stdin.resume();
  try {
    return await new Promise<string>((resolve, reject) => {
      let line = "";
      const end = (then: () => void) => {
        stdin.off("data", onKeys);
        stdin.off("end", onEnd);
        then();
      };
      const onEnd = () => end(() => reject(noAnswer()));
      const onKeys = (keys: string) => {
        const characters = Array.from(keys);
        for (const [index, key] of characters.entries()) {
          if (key === "\r" || key === "\n") {
            const rest = characters.slice(index + 1).join("");
            if (rest !== "") stdin.unshift(rest);
            return end(() => resolve(line));
          }
          if (key === CTRL_C || key === CTRL_D) return end(() => reject(noAnswer()));
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

function noAnswer(): CommandError {
  return new CommandError("no answer; nothing was changed", EXIT.notDone);
}
