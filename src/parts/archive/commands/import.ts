// relayctl archive import: mail from elsewhere, into one account.

import { join } from "node:path";
import { systemClock } from "../../../base/clock.ts";
import { makeMissing } from "../../../base/durable/directory.ts";
import { type ExclusiveLock, lockExclusively } from "../../../base/durable/exclusive-lock.ts";
import { makeDirectoryFor, ownDirectory } from "../../../base/durable/own-directory.ts";
import { errorCode } from "../../../base/error-code.ts";
import { printable } from "../../../base/printable.ts";
import { ProgressBar } from "../../../base/progress-bar.ts";
import { askSecretLine, firstInputLine } from "../../../base/secret-line.ts";
import { print, printJson, warn } from "../../../base/terminal.ts";
import type { Given } from "../../../contract/command.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { NewFiles } from "../../../maildir/new-files.ts";
import type { CommandMeans } from "../../part.ts";
import {
  type AccountContents,
  type ImapAddress,
  type ImportCounts,
  Importer,
  type ImportListener,
  isImapAddress,
  markKey,
  openImapSource,
  openPathSource,
  parseImapAddress,
  readAccountContents,
  type Source,
} from "../import/import.ts";
import type { IndexedContent } from "../index/index-reader.ts";
import { type ArchiveSettings, requireArchive } from "../service/settings.ts";
import { accountOf } from "./account.ts";
import { actingUser } from "./acting-user.ts";
import { askArchive } from "./ask.ts";
import { isFullDisk } from "./full-disk.ts";

interface ImportFlags extends Given {
  readonly account: string;
  readonly folder?: string | undefined;
}

const FILE_MODE = 0o600;
const PASSWORD_MAX = 4096;

/** A source that is not opened yet. */
type Opening = (contents: AccountContents) => Promise<Source>;

export async function archiveImport(
  paths: readonly string[],
  { account: written, folder, json }: ImportFlags,
  means: CommandMeans,
): Promise<number> {
  const account = accountOf(written);
  const configuration = await means.configuration();
  const settings = requireArchive(configuration);
  const opened = await openings(paths);
  makeDirectoryFor(settings.state, settings.user);
  ownDirectory(settings.directory, settings.user);
  const lock = lockOf(settings, account);
  try {
    const { hostname } = configuration.relay;
    const counts = await importInto(opened, { account, folder, hostname, json, means, settings });
    await note(means, { account, paths, counts });
    if (json) await printJson({ account, ...counts });
    else await print(`${summaryOf(account, counts)}\n`);
    return counts.refused === 0 ? EXIT.ok : EXIT.notDone;
  } finally {
    lock.release();
  }
}

interface Import {
  readonly account: string;
  readonly folder: string | undefined;
  readonly hostname: string;
  readonly json: boolean;
  readonly means: CommandMeans;
  readonly settings: ArchiveSettings;
}

async function importInto(
  sources: readonly Opening[],
  { account, folder, hostname, json, means, settings }: Import,
): Promise<ImportCounts> {
  const { directory } = settings;
  const contents = await readAccountContents(directory, account, indexed(means, account));
  const files = new NewFiles(
    { root: directory, mode: FILE_MODE },
    { clock: systemClock, hostname },
  );
  for (const maildir of contents.maildirs) await files.removeDrafts(maildir);
  const progress = new ProgressBar(systemClock);
  const { known } = contents;
  const ownHosts = new Set([hostname.toLowerCase()]);
  const importer = new Importer(
    { directory, account, folder, files, known, ownHosts, clock: systemClock },
    listenerOf(progress, json),
  );
  try {
    for (const open of sources) await take(importer, await open(contents), settings);
  } finally {
    progress.clear();
  }
  return importer.counts;
}

/** Files are opened and passwords are asked for before anything else. */
async function openings(paths: readonly string[]): Promise<Opening[]> {
  const addresses = new Map<string, ImapAddress>();
  for (const path of paths) if (isImapAddress(path)) addresses.set(path, parseImapAddress(path));
  if (addresses.size > 1 && !process.stdin.isTTY) {
    const what = "standard input holds one password: import one IMAP address at a time";
    throw new CommandError(what, EXIT.usage);
  }
  const openers: Opening[] = [];
  for (const path of paths) {
    const address = addresses.get(path);
    if (address === undefined) {
      const source = await openPathSource(path);
      openers.push(() => Promise.resolve(source));
    } else {
      const password = await passwordFor(address);
      openers.push(({ marks }) =>
        openImapSource({ address, password, hasMark: (mark) => marks.has(markKey(mark)) }),
      );
    }
  }
  return openers;
}

async function passwordFor({ name }: ImapAddress): Promise<string> {
  const password = process.stdin.isTTY
    ? await askSecretLine(`Password for ${printable(name)}: `)
    : await firstInputLine(PASSWORD_MAX);
  if (password !== undefined && password !== "") return password;
  throw new CommandError("there is no password; nothing was imported", EXIT.usage);
}

/** One import into an account at a time. The lock lies where the service's own files are. */
function lockOf({ state }: ArchiveSettings, account: string): ExclusiveLock {
  const directory = join(state, "imports");
  makeMissing(directory);
  const lock = lockExclusively(join(directory, `${account}.lock`));
  if (lock === undefined) {
    throw new CommandError(`another import into ${account} is running`, EXIT.unavailable);
  }
  return lock;
}

/** Nothing without an index: then every file is read. */
async function* indexed(means: CommandMeans, account: string): AsyncGenerator<IndexedContent> {
  try {
    for await (const value of askArchive(means, "contents", { account })) {
      if (isContents(value)) yield* value.contents;
    }
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode !== EXIT.unavailable) throw error;
  }
}

function isContents(value: object): value is { readonly contents: readonly IndexedContent[] } {
  return "contents" in value && Array.isArray(value.contents);
}

async function take(
  importer: Importer,
  source: Source,
  { directory }: ArchiveSettings,
): Promise<void> {
  try {
    await importer.take(source);
  } catch (error) {
    if (!isFullDisk(error) && !["EACCES", "EPERM", "EROFS"].includes(errorCode(error) ?? "")) {
      throw error;
    }
    const why = isFullDisk(error) ? "the disk is full" : "permission denied";
    const { imported } = importer.counts;
    const what = `cannot write to ${directory}: ${why}; ${imported} messages were imported; run the import again to go on`;
    throw new CommandError(what, EXIT.notDone);
  } finally {
    await source.close?.();
  }
}

function listenerOf(progress: ProgressBar, json: boolean): ImportListener {
  const tell = (where: string, why: string): void => {
    progress.clear();
    if (json) void printJson({ where, why });
    else warn(`${where}: ${why}`);
  };
  return {
    refused: tell,
    skipped: () => undefined,
    progress: ({ duplicates, imported, refused }, source) =>
      progress.show({
        messages: imported + duplicates + refused,
        octets: source.read,
        total: source.size,
      }),
  };
}

/** The sources without their passwords, which never stand in them. */
async function note(
  means: CommandMeans,
  {
    account,
    paths,
    counts,
  }: {
    readonly account: string;
    readonly paths: readonly string[];
    readonly counts: ImportCounts;
  },
): Promise<void> {
  const fields = { account, sources: paths.join(" ").slice(0, 2000), ...counts };
  for await (const _ of askArchive(means, "audit", { act: "import", by: actingUser(), fields })) {
    continue;
  }
}

function summaryOf(account: string, counts: ImportCounts): string {
  const { duplicates, imported, refused, skipped } = counts;
  const parts = [
    `${imported} ${imported === 1 ? "message" : "messages"} imported into ${account}`,
    ...(duplicates > 0 ? [`${duplicates} already there`] : []),
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(skipped > 0 ? [`${skipped} files are no mail`] : []),
  ];
  return printable(parts.join(", "));
}
