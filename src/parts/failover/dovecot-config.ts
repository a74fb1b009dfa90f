// relayctl dovecot-config: a complete configuration for a Dovecot that serves the Maildirs.
//
// Invariant: without --write-access Dovecot changes no byte of a copy and adds no file to the Maildirs. It may move a
// copy from new/ to cur/, without flags. Index and control files, subscriptions and who has seen what are elsewhere.

import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { isTable } from "../../base/table.ts";
import { print, printJson } from "../../base/terminal.ts";
import { findUser, findUserOf, type SystemUser } from "../../base/users.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { usersFileOf } from "../../users/options.ts";
import type { CommandMeans } from "../part.ts";
import { type DovecotSettings, textFor23 } from "./dovecot-23.ts";
import { textFor24 } from "./dovecot-24.ts";
import { DOVECOT_VERSIONS, failOverOf } from "./options.ts";

type Version = (typeof DOVECOT_VERSIONS)[number];

interface Flags extends Given {
  readonly version: Version | undefined;
  readonly writeAccess: boolean;
}

/** The rights of everybody on their own mail, for Dovecot 2.3. */
const READ_ONLY = join(import.meta.dirname, "../../../etc/dovecot/read-only.acl");

/** Throws CommandError if the configuration is wrong or keeps no copies that Dovecot could serve. */
export async function dovecotConfig(
  { json, version: wanted, writeAccess }: Flags,
  means: CommandMeans,
): Promise<number> {
  const settings = settingsOf(await means.configuration(), writeAccess);
  const version = wanted ?? (await installedVersion());
  const text = version === "2.3" ? textFor23(settings) : textFor24(settings);
  if (json) await printJson({ version, write_access: writeAccess, configuration: text });
  else await print(text);
  return EXIT.ok;
}

/** The version of the Dovecot on this machine; without one, the older. */
async function installedVersion(): Promise<Version> {
  try {
    const { stdout } = await promisify(execFile)("dovecot", ["--version"]);
    return DOVECOT_VERSIONS.findLast((version) => stdout.startsWith(version)) ?? "2.3";
  } catch {
    return "2.3";
  }
}

function settingsOf(configuration: Configuration, writeAccess: boolean): DovecotSettings {
  const { relay, listeners, file } = configuration;
  const { maildir, sent } = maildirsOf(configuration);
  const shown = listeners.find(({ certificate }) => certificate !== undefined);
  const imap = failOverOf(configuration)?.imap;
  return {
    file,
    maildir,
    sent,
    state: join(relay.spool_directory, "dovecot"),
    users: usersFileOf(configuration),
    owner: ownerOf(relay),
    certificate: shown?.certificate,
    key: shown?.private_key,
    port: imap?.port ?? 993,
    readOnlyRights: writeAccess ? undefined : READ_ONLY,
  };
}

/** The owner of the Maildirs: Dovecot refuses to read mail as root. */
function ownerOf({
  user,
  spool_directory: directory,
}: Configuration["relay"]): SystemUser & { readonly name: string } {
  const own = existsSync(directory) ? statSync(directory) : undefined;
  const named = user === undefined ? undefined : findUser(user);
  const owner = named ?? (own && (findUserOf(own.uid) ?? own));
  if (owner === undefined || owner.uid === 0) {
    const what = "[relay] user is missing: Dovecot does not read mail as root";
    throw new CommandError(what, EXIT.configuration);
  }
  return { uid: owner.uid, gid: owner.gid, name: user ?? String(owner.uid) };
}

const RECIPIENT = /\{(?:domain|local_part)\}/g;

/** The Maildir of each account, with our placeholders, and the folder in it for sent mail. */
function maildirsOf({ transports }: Configuration): Pick<DovecotSettings, "maildir" | "sent"> {
  const written = [...transports.values()].flatMap(({ options }) => directoryIn(options) ?? []);
  const received = written.filter(
    (path) => path.includes("{local_part}") && !path.includes("{sender_") && isAbsolute(path),
  );
  const [maildir] = received.toSorted((one, other) => one.length - other.length);
  if (maildir === undefined) {
    const what = "no transport keeps received mail in a Maildir with {local_part} in its path";
    throw new CommandError(what, EXIT.configuration);
  }
  const own = maildir.replaceAll(RECIPIENT, (name) => name.replace("{", "{sender_"));
  const [sent] = written.filter((path) => path.startsWith(`${own}/.`));
  return { maildir, sent: sent?.slice(own.length + 2) };
}

/** The written directory of a transport that has one. */
function directoryIn(options: unknown): string | undefined {
  const directory = isTable(options) ? options["directory"] : undefined;
  const written = isTable(directory) ? directory["written"] : undefined;
  return typeof written === "string" ? written : undefined;
}
