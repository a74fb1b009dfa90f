// Passwords that a command reads: twice from the terminal, without an echo, or the first line of standard input.
//
// Invariant: nothing is trimmed but the line end, and no more than LINE_MAX octets are read.

import { askSecretLine, firstInputLine } from "../../base/secret-line.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";

/** Octets. */
const LINE_MAX = 4096;
/** Octets of a password, so that every client can send it. */
const PASSWORD_MAX = 1024;

/** Throws CommandError if the password cannot be used. */
export async function readPassword(address: string): Promise<string> {
  const password = process.stdin.isTTY ? await askedTwice(address) : await firstInputLine(LINE_MAX);
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

/** One line from the terminal. The terminal shows none of it. */
async function asked(question: string): Promise<string> {
  const line = await askSecretLine(question);
  if (line === undefined) fail("no answer");
  return line;
}
