// relayctl users invite: one-time passwords, as CSV for the postmaster.
//
// Invariants: `--all` never touches a user that exists. Each password is in the output, and nowhere else.

import { randomInt } from "node:crypto";
import { readAccounts } from "../../accounts/accounts.ts";
import { print, printJson, warn } from "../../base/terminal.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { passwordFieldOf } from "../../users/passwd-file.ts";
import type { Means } from "./commands.ts";
import { addressOf, UsersFile } from "./file.ts";

/** 32 characters, none of which look alike: 16 of them are 80 bits. */
const CHARACTERS = "abcdefghijkmnpqrstuvwxyz23456789";
const GROUPS = 4;
const GROUP = 4;

export async function inviteUsers(
  written: readonly string[],
  { all, json }: Given & { readonly all: boolean },
  means: Means,
): Promise<number> {
  if (all === written.length > 0) {
    throw new CommandError("name the addresses, or give --all", EXIT.usage);
  }
  const named = written.map(addressOf);
  const configuration = await means.configuration();
  const file = new UsersFile(configuration);
  const addresses = all ? await uninvited(configuration, file) : [...new Set(named)];
  const invited: { address: string; password: string; field: string }[] = [];
  for (const address of addresses) {
    const password = oneTimePassword();
    invited.push({ address, password, field: await passwordFieldOf(password) });
  }
  const made: { address: string; password: string }[] = [];
  await file.change((users) => {
    for (const { address, password, field } of invited) {
      const change = { password: field, mustChange: true };
      const isThere = users.find(address) !== undefined;
      // Another command may have added it meanwhile.
      if (isThere && all) continue;
      if (isThere) users.change(address, change);
      else users.add(address, change);
      made.push({ address, password });
    }
    return made.length > 0;
  });
  if (json) await printJson(made);
  else await print(csvOf(made));
  if (made.length === 0) warn("every account has a user already; nothing was changed");
  return EXIT.ok;
}

/** The accounts of people who have no user yet. */
async function uninvited(configuration: Configuration, file: UsersFile): Promise<string[]> {
  const { all, problems } = await readAccounts(configuration);
  if (problems.length > 0) {
    throw new CommandError(["the accounts cannot be read:", ...problems], EXIT.noInput);
  }
  const users = await file.read();
  return all
    .filter(({ kind, state }) => (kind === "user" || kind === "unknown") && state === "active")
    .map(({ address }) => address)
    .filter((address) => users.find(address) === undefined);
}

function oneTimePassword(): string {
  const characters = Array.from(
    { length: GROUPS * GROUP },
    () => CHARACTERS[randomInt(CHARACTERS.length)],
  ).join("");
  return characters.match(/.{4}/g)?.join("-") ?? characters;
}

/** RFC 4180. */
function csvOf(made: readonly { address: string; password: string }[]): string {
  const lines = made.map(({ address, password }) => `${quoted(address)},${password}\n`);
  return ["address,password\n", ...lines].join("");
}

function quoted(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
