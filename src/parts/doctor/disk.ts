// The places that the relay writes to: space, inodes, owner and mode.

import { stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { accountsFileOf, accountsOptionsOf } from "../../accounts/accounts.ts";
import { errorCode } from "../../base/error-code.ts";
import { sizeText } from "../../base/units.ts";
import { findUser } from "../../base/users.ts";
import type { CheckPart, Setup } from "./check.ts";
import { ownCertificates } from "./certificates.ts";
import { failure, type Finding, ok, skipped, warning } from "./finding.ts";
import {
  openKeyFinding,
  type OwnedDirectory,
  rightsFinding,
  shutFileFinding,
  strangeEyes,
} from "./rights.ts";

const MIB = 1024 * 1024;
/** Free space and inodes that are a warning, as multiples of what must be free. */
const NEAR = 4;
/** Free space and inodes of Maildirs and of files of accounts: with less, a write may fail any day. */
const LEAST = { bytes: 50 * MIB, inodes: 1000 } as const;

interface WatchedPlace extends OwnedDirectory {
  readonly least: { readonly bytes: number; readonly inodes: number };
}

export async function checkDisk(setup: Setup): Promise<readonly CheckPart[]> {
  const user = userFinding(setup);
  const eyes = await strangeEyes(setup.configuration);
  const rightsOf = (place: WatchedPlace) =>
    eyes === undefined
      ? rightsFinding(place)
      : Promise.resolve(skipped(`${place.what} (${place.path}), owner and mode: ${eyes}`));
  return [
    ...(user === undefined ? [] : [{ about: "the user", findings: Promise.resolve(user) }]),
    ...watchedPlaces(setup).flatMap((place) => [
      { about: `the space of ${place.path}`, findings: spaceFinding(place) },
      { about: `owner and mode of ${place.path}`, findings: rightsOf(place) },
    ]),
    ...(eyes === undefined ? [{ about: "the keys", findings: keyFindings(setup) }] : []),
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
  const spool: WatchedPlace = {
    what: "the spool",
    path: relay.spool_directory,
    least: { bytes: relay.spool_reserve, inodes: relay.spool_reserve_inodes },
    option: "[relay] spool_directory",
    holdsMaildirs: false,
  };
  const maildirs = Array.from(chain.transports, ([name, { directory }]) => ({
    what: "the Maildirs",
    path: directory?.path ?? "",
    least: LEAST,
    option: `directory of transports.${name}`,
    holdsMaildirs: true,
  })).filter(({ path }) => path !== "");
  const accounts = accountsOptionsOf(configuration);
  const files = accounts?.domains.map((domain) => ({
    what: "the files of accounts",
    path: dirname(accountsFileOf(accounts, domain)),
    least: LEAST,
    option: "file of [accounts]",
    holdsMaildirs: false,
  }));
  const all = [spool, ...maildirs, ...(files ?? [])];
  return [...new Map(all.toReversed().map((place) => [place.path, place])).values()].toReversed();
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

/** Certificates and keys: the relay's user reads them again after each change, and nobody else needs the keys. */
async function keyFindings({ configuration }: Setup): Promise<readonly Finding[]> {
  const pairs = ownCertificates(configuration);
  const files = new Set(pairs.flatMap(({ file, keyFile }) => [file, keyFile]));
  const keys = new Set(pairs.map(({ keyFile }) => keyFile));
  const findings = await Promise.all([
    ...Array.from(files, (file) => shutFileFinding(file)),
    ...Array.from(keys, (key) => openKeyFinding(key)),
  ]);
  return findings.filter((finding) => finding !== undefined);
}
