// relayctl coverage --against gmail: an archive and its mailbox at Google, compared by Message-ID.

import {
  type Accounts,
  accountsOptionsOf,
  type KnownAccount,
  readAccounts,
} from "../../../accounts/accounts.ts";
import { systemClock } from "../../../base/clock.ts";
import { print, printJson, warn } from "../../../base/terminal.ts";
import type { Configuration } from "../../../config/configuration.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import { GoogleApi, GoogleError } from "../../../google/google.ts";
import { openHistory } from "../history/command.ts";
import { AccountMaildirs } from "../maildirs.ts";
import { Progress } from "../progress.ts";
import { Archive } from "./archive.ts";
import { compared, type Compared, TooManyMessages } from "./comparing.ts";
import { gmailLines, gmailObject, type GmailReport, isComplete } from "./gmail-text.ts";
import { Mailbox, SCOPE } from "./mailbox.ts";
import { reasonAtGoogle, reasonInArchive } from "./reasons.ts";

const DAY = 24 * 3_600_000;

interface Wanted {
  readonly account: string;
  readonly days: number;
  readonly json: boolean;
}

/** Throws CommandError. */
export async function compareWithGmail(
  configuration: Configuration,
  { account: written, days, json }: Wanted,
): Promise<number> {
  const accounts = await readAccounts(configuration);
  const account = accountOf(written, accounts);
  const options = accountsOptionsOf(configuration);
  if (options?.key_file === undefined) {
    const what = `${configuration.file}: accounts.key_file is missing: the Gmail API needs the key of a service account with domain-wide delegation`;
    throw new CommandError(what, EXIT.configuration);
  }
  const since = systemClock.now() - days * DAY;
  const maildirs = new AccountMaildirs(configuration);
  const addresses = [account.address, ...account.aliases];
  const { key_file: keyFile, gmail_api: base } = options;
  const access = { keyFile, subject: account.address, scopes: [SCOPE] };
  const progress = new Progress(systemClock);
  try {
    const api = await GoogleApi.open(access, { clock: systemClock });
    const archive = new Archive(addresses.flatMap((address) => maildirs.of(address)));
    const mailbox = new Mailbox(api, base);
    const found = await compared({ archive, mailbox }, since, systemClock, (what, count) =>
      progress.show(what, count),
    );
    progress.end();
    const report = withReasons(found, {
      account: account.address,
      since,
      archive,
      accounts,
      configuration,
    });
    if (json) await printJson(gmailObject(report));
    else await print(`${gmailLines(report).join("\n")}\n`);
    return isComplete(report) ? EXIT.ok : EXIT.notDone;
  } catch (error) {
    progress.end();
    throw commandError(error);
  }
}

/** The account that the address belongs to. Throws CommandError. */
function accountOf(written: string, accounts: Accounts): KnownAccount {
  const account = accounts.find(written)?.account;
  if (account === undefined) {
    throw new CommandError([`${written} is no account`, ...accounts.problems], EXIT.notDone);
  }
  if (account.kind === "group") {
    throw new CommandError(`${account.address} is a group, and has no mailbox`, EXIT.notDone);
  }
  return account;
}

interface Setting extends Pick<GmailReport, "account" | "since" | "archive"> {
  readonly accounts: Accounts;
  readonly configuration: Configuration;
}

function withReasons(
  found: Compared,
  { account, since, archive, ...setting }: Setting,
): GmailReport {
  const { comparison } = found;
  using history = historyOf(setting.configuration);
  const known = { account, accounts: setting.accounts, history };
  const archived = comparison.onlyArchived.map((message) => ({
    message,
    reason: reasonAtGoogle(message, known),
  }));
  return {
    ...found,
    account,
    since,
    archive,
    atGoogle: archived.filter(({ reason }) => reason.code !== "waiting"),
    waiting: archived.filter(({ reason }) => reason.code === "waiting"),
    inArchive: comparison.onlyMail.map((message) => ({
      message,
      reason: reasonInArchive(message, known),
    })),
  };
}

/** The history gives reasons only, so the comparison goes on without it. */
function historyOf({ relay }: Configuration) {
  try {
    return openHistory(relay.spool_directory, relay.user, () => undefined);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    warn(`relayctl: ${error.message}`);
    return undefined;
  }
}

function commandError(error: unknown): unknown {
  if (error instanceof GoogleError) {
    const code = error.kind === "key" ? EXIT.configuration : EXIT.unavailable;
    return new CommandError(error.message, code);
  }
  if (error instanceof TooManyMessages) {
    return new CommandError("more than 1000000 messages: compare fewer --days", EXIT.notDone);
  }
  return error;
}
