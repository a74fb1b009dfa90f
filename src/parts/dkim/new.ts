// relayctl dkim new: a private key in a file, and the DNS record of its public key.
//
// Invariants:
// - A file is never overwritten. Only its owner may read it: the user of the relay, if root makes it.
// - The configuration may be missing, or may name the key already.

import { chownSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { syncDirectory } from "../../base/durable/directory.ts";
import { errorCode } from "../../base/error-code.ts";
import { print, printJson } from "../../base/terminal.ts";
import { findUser, type SystemUser } from "../../base/users.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { describeError } from "../../observe/log.ts";
import type { Option, Problem } from "../../options/options.ts";
import { dkimSelector, signingDomain } from "../../outbox/dkim-options.ts";
import { dkimRecordOf, zoneLineOf } from "../../outbox/dkim-record.ts";
import type { CommandMeans } from "../part.ts";

const DEFAULT_FILE = "/etc/unseen/routers.toml";
/** RFC 8301 3.2 asks for at least 1024 bits and advises 2048. A key of 2048 bits fits into one answer of the DNS. */
const BITS = 2048;

export async function newKey(
  [domainWritten = "", selectorWritten = ""]: readonly string[],
  { json, config, out }: Given & { readonly out: string | undefined },
  means: CommandMeans,
): Promise<number> {
  const domain = read(signingDomain(""), domainWritten, "the domain");
  const selector = read(dkimSelector("", "unseen"), selectorWritten, "the selector");
  const beside = dirname(config ?? process.env["UNSEEN_CONFIG"] ?? DEFAULT_FILE);
  const path = resolve(out ?? join(beside, `${domain}.${selector}.pem`));
  const { privateKey: key } = generateKeyPairSync("rsa", { modulusLength: BITS });
  await write(path, key, await ownerOf(means));
  const record = dkimRecordOf({ domain, selector, key_file: { path, key, isOpen: false } });
  if (json) await printJson({ file: path, ...record });
  else await print(textOf(path, domain, selector, zoneLineOf(record)));
  return EXIT.ok;
}

function textOf(path: string, domain: string, selector: string, line: string): string {
  return `The key is in ${path}. Publish this record:

${line}

Then name the key in the smtp transport that takes mail to the world:

dkim = [{ domain = "${domain}", selector = "${selector}", key_file = "${path}" }]
`;
}

function read(option: Option<string>, written: string, what: string): string {
  const problems: Problem[] = [];
  const value = option.read(written, "", problems);
  if (value !== undefined && problems.length === 0) return value;
  throw new CommandError(`${what} ${problems[0]?.message ?? "is wrong"}`, EXIT.usage);
}

/** The user of the relay, if root runs the command and the configuration names one. */
async function ownerOf(means: CommandMeans): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  try {
    const { relay } = await means.configuration();
    return relay.user === undefined ? undefined : findUser(relay.user);
  } catch (error) {
    // The configuration may name the key that is only made now.
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

async function write(path: string, key: KeyObject, owner: SystemUser | undefined): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, "wx", 0o600);
  } catch (error) {
    if (errorCode(error) === "EEXIST")
      throw new CommandError(`${path} exists; nothing was changed`, EXIT.notDone);
    throw new CommandError(`cannot write ${path}: ${describeError(error)}`, EXIT.unavailable);
  }
  try {
    await file.writeFile(key.export({ type: "pkcs8", format: "pem" }));
    await file.sync();
  } finally {
    await file.close();
  }
  if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  await syncDirectory(dirname(path));
}
