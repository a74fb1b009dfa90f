// The places that the relay writes to: space, inodes, owner and mode. The doctor has become the relay's user before, so
// that what it may read and write is what the relay may.

import { constants, type Stats } from "node:fs";
import { access, opendir, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode } from "../../base/error-code.ts";
import { sizeText } from "../../base/units.ts";
import { findUser, userName } from "../../base/users.ts";
import { describeError } from "../../observe/log.ts";
import type { CheckPart, Setup } from "./check.ts";
import { ownCertificates } from "./certificates.ts";
import { failure, type Finding, ok, skipped, warning } from "./finding.ts";

const MIB = 1024 * 1024;
/** Free space and inodes that are a warning, as multiples of what the relay keeps free. */
const NEAR = 4;
/** Free space of a Maildir or of state, in octets: below it a copy may fail any day. */
const MAILDIR_LEAST = 50 * MIB;
const INODES_LEAST = 1000;
/** Maildirs that are looked into, and files of a folder that are counted. */
const MAILDIRS_MAX = 1000;
/** Bits of the mode that let other users read, write and pass. */
const OTHERS = { read: 0o004, write: 0o002, pass: 0o001 } as const;

interface WatchedPlace {
  /** "the spool", "the Maildirs of transports.gmail_local_delivery" */
  readonly what: string;
  readonly path: string;
  readonly least: { readonly bytes: number; readonly inodes: number };
  /** The option that names it. */
  readonly option: string;
  readonly holdsMaildirs: boolean;
}

export function checkDisk(setup: Setup): readonly CheckPart[] {
  const user = userFinding(setup);
  return [
    ...(user === undefined ? [] : [{ about: "the user", findings: Promise.resolve(user) }]),
    ...watchedPlaces(setup).flatMap((place) => [
      { about: `the space of ${place.path}`, findings: spaceFinding(place) },
      { about: `the rights of ${place.path}`, findings: rightsFindings(place) },
    ]),
    { about: "the keys", findings: keyFindings(setup) },
  ];
}

function userFinding({ configuration }: Setup): Finding | undefined {
  const { user } = configuration.relay;
  if (user === undefined || findUser(user) !== undefined) return undefined;
  return failure(
    `[relay] user: this machine has no user "${user}"`,
    `Create it: useradd --system ${user}`,
  );
}

/** Places in one directory are one place. */
function watchedPlaces({ configuration, chain }: Setup): WatchedPlace[] {
  const { relay } = configuration;
  const least = { bytes: relay.spool_reserve, inodes: relay.spool_reserve_inodes };
  const spool: WatchedPlace = {
    what: "the spool",
    path: relay.spool_directory,
    least,
    option: "[relay] spool_directory",
    holdsMaildirs: false,
  };
  const maildirs = Array.from(chain.transports, ([name, { directory }]) =>
    directory === undefined
      ? []
      : [
          {
            what: "the Maildirs",
            path: directory.path,
            least: { bytes: MAILDIR_LEAST, inodes: INODES_LEAST },
            option: `directory of transports.${name}`,
            holdsMaildirs: true,
          },
        ],
  ).flat();
  return [spool, ...new Map(maildirs.map((place) => [place.path, place])).values()];
}

async function spaceFinding({ what, path, least, option }: WatchedPlace): Promise<Finding> {
  const there = await nearestExisting(path);
  const { bavail, bsize, ffree, files } = await statfs(there);
  const bytes = bavail * bsize;
  const at = `${what} (${path})`;
  const advice = `Free space there, or move ${option} to a larger disk.`;
  if (bytes < least.bytes) {
    return failure(
      `${at}: ${sizeText(bytes)} are free, less than the ${sizeText(least.bytes)} that must be`,
      advice,
    );
  }
  // Some file systems count no inodes.
  if (files > 0 && ffree < least.inodes) {
    return failure(
      `${at}: ${ffree} inodes are free, fewer than the ${least.inodes} that must be`,
      advice,
    );
  }
  if (bytes < NEAR * least.bytes) return warning(`${at}: only ${sizeText(bytes)} are free`, advice);
  if (files > 0 && ffree < NEAR * least.inodes) {
    return warning(`${at}: only ${ffree} inodes are free`, advice);
  }
  return ok(
    `${at}: ${sizeText(bytes)} and ${files > 0 ? `${ffree} inodes` : "any number of files"} free`,
  );
}

async function nearestExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await stat(at);
      return at;
    } catch (error) {
      if (errorCode(error) !== "ENOENT" || at === dirname(at)) throw error;
    }
  }
}

async function rightsFindings(place: WatchedPlace): Promise<readonly Finding[]> {
  const { what, path, option, holdsMaildirs } = place;
  const at = `${what} (${path})`;
  let stats: Stats;
  try {
    stats = await stat(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [absent(at)];
    return [failure(`${at}: ${describeError(error)}`, ownerAdvice(dirname(path)))];
  }
  if (!stats.isDirectory()) {
    return [failure(`${at}: it is not a directory`, `Correct ${option}.`)];
  }
  const problem = (await shutProblem(path)) ?? foreignProblem(stats);
  if (problem !== undefined) return [failure(`${at}: ${problem}`, ownerAdvice(path))];
  const inside = holdsMaildirs ? await shutMaildirs(path) : [];
  if (inside.length > 0) {
    const shown = inside.slice(0, 3).join(", ");
    const more = inside.length > 3 ? ` and ${inside.length - 3} more` : "";
    return [failure(`${at}: the relay's user may not write to ${shown}${more}`, ownerAdvice(path))];
  }
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, "0");
  if (await isOpenToOthers(path, OTHERS.write)) {
    return [
      warning(
        `${at}: its mode is ${mode}, so every user may write there`,
        `Run: chmod o-w ${path}`,
      ),
    ];
  }
  return [ok(`${at}: owner ${userName(stats.uid)}, mode ${mode}`)];
}

/** Whether the mode of the path, and those of all directories above it, let other users do this with it. */
async function isOpenToOthers(path: string, bit: number): Promise<boolean> {
  if (((await stat(path)).mode & bit) === 0) return false;
  for (let at = path; at !== dirname(at);) {
    at = dirname(at);
    if (((await stat(at)).mode & OTHERS.pass) === 0) return false;
  }
  return true;
}

function absent(at: string): Finding {
  return skipped(`${at}: it does not exist yet; the relay makes it at its start`);
}

function ownerAdvice(path: string): string {
  return `If it is the relay's, run: chown -R ${userName(process.getuid?.() ?? 0)}: ${path}`;
}

async function shutProblem(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const user = userName(process.getuid?.() ?? 0);
    const denied = errorCode(error) === "EACCES" || errorCode(error) === "EPERM";
    return denied ? `the user ${user} may not write to it` : describeError(error);
  }
}

/** Root may write everywhere, so only the owner shows that the relay, if it runs as another user, may not. */
function foreignProblem({ uid }: Stats): string | undefined {
  const own = process.getuid?.() ?? 0;
  return uid === own || own === 0
    ? undefined
    : `it belongs to ${userName(uid)}, and not to ${userName(own)}`;
}

/** Directories of domains and of accounts that the relay may not write to. */
async function shutMaildirs(root: string): Promise<string[]> {
  const shut: string[] = [];
  let count = 0;
  for await (const domain of directoriesIn(root)) {
    for await (const maildir of directoriesIn(domain)) {
      if (++count > MAILDIRS_MAX) return shut;
      if ((await shutProblem(maildir)) !== undefined) shut.push(maildir);
    }
    if ((await shutProblem(domain)) !== undefined) shut.push(domain);
  }
  return shut;
}

async function* directoriesIn(path: string): AsyncGenerator<string> {
  try {
    for await (const entry of await opendir(path)) {
      if (entry.isDirectory()) yield join(path, entry.name);
    }
  } catch (error) {
    // A directory that may not be read is reported itself.
    if (errorCode(error) !== "EACCES") throw error;
  }
}

/** Certificates and keys: the relay's user reads them again after each change, and nobody else needs the keys. */
async function keyFindings({ configuration }: Setup): Promise<readonly Finding[]> {
  const pairs = ownCertificates(configuration);
  const shut = pairs.flatMap(({ file, keyFile }) => [file, keyFile]).map((path) => shutFile(path));
  const open = pairs.map(({ keyFile }) => openKey(keyFile));
  const findings = await Promise.all([...shut, ...open]);
  return findings.filter((finding) => finding !== undefined);
}

async function shutFile(path: string): Promise<Finding | undefined> {
  try {
    await access(path, constants.R_OK);
    return undefined;
  } catch (error) {
    const user = userName(process.getuid?.() ?? 0);
    return failure(
      `${path}: the user ${user} may not read it: ${describeError(error)}`,
      "Give the file to the group of the relay's user (mode 0640): it is read again when it changes.",
    );
  }
}

async function openKey(path: string): Promise<Finding | undefined> {
  try {
    if (!(await isOpenToOthers(path, OTHERS.read))) return undefined;
  } catch {
    // The finding of `shutFile` says why.
    return undefined;
  }
  return warning(`${path}: every user of this machine may use this key`, `Run: chmod o= ${path}`);
}
