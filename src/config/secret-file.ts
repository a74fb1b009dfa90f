// A secret in a file of its own: the first line of a file that strangers on this machine cannot read. The same
// check holds when the configuration is read and whenever the secret is used, so a new secret needs no restart.

import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { cannotRead } from "./listener-options.ts";
import { path } from "./kinds.ts";
import type { Option } from "./option.ts";

/** Anybody who is neither the owner nor of the group. */
const OTHERS = 0o007;

interface Contents {
  readonly mode: number;
  readonly bytes: Buffer;
}

/** The path of a file that holds a secret; that it does is checked when the configuration is read. */
export function secretFile(doc: string): Option<string> {
  const base = path(doc);
  return {
    ...base,
    read(value, at, problems) {
      const file = base.read(value, at, problems);
      const wrong = file === undefined ? undefined : problemWith(file);
      if (wrong === undefined) return file;
      problems.push({ path: at, message: wrong });
      return undefined;
    },
  };
}

/** The secret as it is now. Rejects, with a reason that names the file, when there is none to be had. */
export async function readSecret(file: string): Promise<string> {
  let contents: Contents;
  try {
    await using handle = await open(file);
    contents = { mode: (await handle.stat()).mode, bytes: await handle.readFile() };
  } catch (error) {
    throw new Error(cannotRead(file, error), { cause: error });
  }
  const read = secretIn(contents);
  if ("wrong" in read) throw new Error(`${file}: ${read.wrong}`);
  return read.secret;
}

function problemWith(file: string): string | undefined {
  try {
    const descriptor = openSync(file, "r");
    try {
      const contents = { mode: fstatSync(descriptor).mode, bytes: readFileSync(descriptor) };
      const read = secretIn(contents);
      return "wrong" in read ? `${file}: ${read.wrong}` : undefined;
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return cannotRead(file, error);
  }
}

type Secret = { readonly secret: string } | { readonly wrong: string };

function secretIn({ mode, bytes }: Contents): Secret {
  if ((mode & OTHERS) !== 0) {
    return { wrong: `can be used by everybody on this machine; "chmod o= FILE" ends that` };
  }
  const [secret = "", ...rest] = bytes.toString("utf8").split(/\r?\n/);
  if (secret === "") return { wrong: "its first line is empty; the secret is expected there" };
  if (rest.some((line) => line !== "")) return { wrong: "has more than one line" };
  if (/[\p{Cc}\uFFFD]/u.test(secret)) return { wrong: "holds control characters, or is not UTF-8" };
  return { secret };
}
