// The files of a new relay: what stands in them, whose they are, and who may read them.
//
// Invariant: as root, the relay's user gets only what the relay must write: the accounts, the spool, the Maildirs. It
// reads the rest by its group. A relay that could change routers.toml could name a driver there that root would load.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cannotRead } from "../../base/file-errors.ts";
import { findUser, membersOfGroup, type SystemUser } from "../../base/users.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import type { Answers } from "./answers.ts";
import { type KeyPair, mismatchOf, selfSigned } from "./certificate.ts";
import { isTaken, type Plan, type PlannedFile } from "./placing.ts";
import {
  ACCOUNTS,
  accountsFile,
  accountsFileOf,
  CERTIFICATE,
  PRIVATE_KEY,
  routersFile,
} from "./routers-file.ts";

/** Octets of the secret: 192 bits. */
const SECRET_OCTETS = 24;

export interface NewFile {
  /** The path in the directory of routers.toml. */
  readonly name: string;
  /** What the file is for, in a few words. */
  readonly meaning: string;
  readonly text: string;
  /** "relay": the relay's user reads it, and no other user. "writer": that user may also change it. */
  readonly access: "all" | "relay" | "writer";
}

/** Owners and groups of what root writes. Empty for other users, who cannot give files away. */
interface Owners {
  readonly all?: SystemUser;
  readonly relay?: SystemUser;
  readonly writer?: SystemUser;
}

/** Throws CommandError if the relay cannot become this user, or if others would read the secrets as its group. */
export function ownersOf(name: string): Owners {
  const user = findUser(name);
  if (user === undefined) {
    const make = `useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin ${name}`;
    const hint = /^[a-z_][a-z0-9_-]*$/.test(name) ? `; make it: ${make}` : "";
    throw new CommandError(`there is no user "${name}" on this machine${hint}`, EXIT.notDone);
  }
  if (process.getuid?.() !== 0) return {};
  if (user.uid === 0) {
    throw new CommandError(
      "--user: the relay needs a user with fewer rights than root",
      EXIT.usage,
    );
  }
  const others = membersOfGroup(user.gid).filter((member) => member !== name);
  if (others.length > 0) {
    const why = `other users (${others.join(", ")}) have the group of "${name}", and could read the secrets`;
    throw new CommandError(`${why}; give "${name}" a group of its own`, EXIT.notDone);
  }
  return { all: { uid: 0, gid: 0 }, relay: { uid: 0, gid: user.gid }, writer: user };
}

/**
 * A new self-signed certificate; undefined if there is a certificate already. Throws CommandError if the relay could not
 * use that one. `now` is in milliseconds since 1970.
 */
export async function certificateFor(
  hostname: string,
  directory: string,
  now: number,
): Promise<KeyPair | undefined> {
  const certificate = join(directory, CERTIFICATE);
  const key = join(directory, PRIVATE_KEY);
  const [hasCertificate, hasKey] = [isTaken(certificate), isTaken(key)];
  if (!hasCertificate && !hasKey) return selfSigned(hostname, now);
  if (!hasCertificate || !hasKey) {
    const [there, missing] = hasKey ? [key, certificate] : [certificate, key];
    throw notWritten(`${there} exists, but ${missing} does not`);
  }
  const wrong = mismatchOf({ certificate: readPem(certificate), key: readPem(key) });
  if (wrong !== undefined) throw notWritten(`${certificate}: ${wrong}`);
  return undefined;
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw notWritten(cannotRead(path, error));
  }
}

function notWritten(why: string): CommandError {
  return new CommandError(`${why}; nothing was written`, EXIT.notDone);
}

/** The directories of a relay, as absolute paths. */
export interface Places {
  /** That of routers.toml. */
  readonly directory: string;
  readonly spool: string;
  readonly mail: string;
}

/** All files but the list of next steps. `pair` is absent if there is a certificate already. */
export function filesOf(
  answers: Answers,
  { spool, mail }: Places,
  user: string,
  pair: KeyPair | undefined,
): NewFile[] {
  const secret = randomBytes(SECRET_OCTETS).toString("hex");
  const files: NewFile[] = [
    {
      name: "routers.toml",
      meaning: "the configuration, with a secret of its own",
      text: routersFile({ ...answers, spool, mail, user, secret }),
      access: "relay",
    },
    ...answers.domains.map((domain): NewFile => ({
      name: accountsFileOf(domain),
      meaning: `the accounts of ${domain}: list all of them here`,
      text: accountsFile(domain),
      access: "writer",
    })),
  ];
  if (pair === undefined) return files;
  const meaning = "a self-signed certificate: replace it by a public one";
  return [
    ...files,
    { name: CERTIFICATE, meaning, text: pair.certificate, access: "all" },
    { name: PRIVATE_KEY, meaning: "its key", text: pair.key, access: "relay" },
  ];
}

/**
 * The plan for these files; the first of them is written last. The directories of the spool and the Maildirs are made
 * too, because the relay's user may not make them in /var/spool and /var/mail.
 */
export function planOf(
  { directory, spool, mail }: Places,
  owners: Owners,
  files: readonly NewFile[],
): Plan {
  const planned = files.map(({ name, text, access }): PlannedFile => ({
    path: join(directory, name),
    text,
    mode: access === "all" ? 0o644 : owners.relay === undefined ? 0o600 : 0o640,
    owner: owners[access],
  }));
  return {
    directories: [
      { path: directory, mode: 0o755, owner: owners.all },
      { path: join(directory, ACCOUNTS), mode: 0o750, owner: owners.writer },
      { path: join(directory, dirname(CERTIFICATE)), mode: 0o755, owner: owners.all },
      { path: spool, mode: 0o700, owner: owners.writer },
      { path: mail, mode: 0o700, owner: owners.writer },
    ],
    files: planned.toReversed(),
  };
}
