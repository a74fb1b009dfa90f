// relayctl users add, passwd, role, remove, list and totp.
//
// Invariant: a command that fails has changed nothing.

import { randomBytes } from "node:crypto";
import { readAccounts } from "../../accounts/accounts.ts";
import { print, printJson, warn } from "../../base/terminal.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { type PasswdFile, passwordFieldOf, type Role, type User } from "../../users/passwd-file.ts";
import { base32 } from "./base32.ts";
import { addressOf, noUser, UsersFile } from "./file.ts";
import { readPassword } from "./password.ts";
import { totpText, usersText } from "./text.ts";

export interface Means {
  configuration(): Promise<Configuration>;
}

const ROLES: readonly Role[] = ["none", "auditor", "admin"];
/** Octets of the secret of a second factor (RFC 4226 4: 160 bits are recommended). */
const SECRET_OCTETS = 20;

export async function addUser(
  [written = ""]: readonly string[],
  { role = "none", json }: Given & { readonly role?: Role | undefined },
  means: Means,
): Promise<number> {
  const address = addressOf(written);
  const configuration = await means.configuration();
  const file = new UsersFile(configuration);
  const isThere = () =>
    new CommandError(`${address} is in ${file.path} already; nothing was changed`, EXIT.notDone);
  if ((await file.read()).find(address) !== undefined) throw isThere();
  const why = await nameProblem(address, configuration);
  if (why?.isWrong === true) throw new CommandError(why.text, EXIT.notDone);
  const password = await passwordFieldOf(await readPassword(address));
  await file.change((users) => {
    if (users.find(address) !== undefined) throw isThere();
    users.add(address, { password, role });
    return true;
  });
  if (why !== undefined) warn(`warning: ${why.text}`);
  return done(json, { address, role }, `${address} can log in now`);
}

/** Dovecot takes the name of the user for the name of the Maildir, so an alias would see an empty mailbox. */
async function nameProblem(
  address: string,
  configuration: Configuration,
): Promise<{ text: string; isWrong: boolean } | undefined> {
  const { account } = (await readAccounts(configuration)).find(address) ?? {};
  if (account === undefined) {
    return { text: `${address} is no account: the relay keeps no copies for it`, isWrong: false };
  }
  if (account.address === address) return undefined;
  const text = `${address} belongs to the account ${account.address}; add that; nothing was changed`;
  return { text, isWrong: true };
}

export async function changePassword(
  [written = ""]: readonly string[],
  { json }: Given,
  means: Means,
): Promise<number> {
  const address = addressOf(written);
  const file = new UsersFile(await means.configuration());
  if ((await file.read()).find(address) === undefined) throw noUser(address, file.path);
  const password = await passwordFieldOf(await readPassword(address));
  await changeUser(file, address, (users) =>
    users.change(address, { password, mustChange: false }),
  );
  return done(json, { address }, `${address} has the new password`);
}

export async function changeRole(
  [written = "", wanted = ""]: readonly string[],
  { json }: Given,
  means: Means,
): Promise<number> {
  const address = addressOf(written);
  const role = ROLES.find((known) => known === wanted);
  if (role === undefined) {
    throw new CommandError(`"${wanted}" is no role: none, auditor or admin`, EXIT.usage);
  }
  const file = new UsersFile(await means.configuration());
  await changeUser(file, address, (users) => users.change(address, { role }));
  return done(json, { address, role }, `${address} has the role ${role}`);
}

export async function removeUser(
  [written = ""]: readonly string[],
  { json }: Given,
  means: Means,
): Promise<number> {
  const address = addressOf(written);
  const file = new UsersFile(await means.configuration());
  await changeUser(file, address, (users) => users.remove(address));
  return done(json, { address }, `${address} can no longer log in; its mail stays`);
}

export async function listUsers(
  [written]: readonly string[],
  { json }: Given,
  means: Means,
): Promise<number> {
  const address = written === undefined ? undefined : addressOf(written);
  const file = new UsersFile(await means.configuration());
  const { users } = await file.read();
  const shown = users.filter((user) => address === undefined || user.address === address);
  if (address !== undefined && shown.length === 0) throw noUser(address, file.path);
  if (json) {
    await printJson(shown.map(summaryOf));
  } else if (shown.length === 0) {
    await print(`no users in ${file.path}\n`);
  } else {
    await print(usersText(shown));
  }
  return EXIT.ok;
}

function summaryOf({ address, role, totp, mustChange, password }: User) {
  const [, scheme = "none"] = /^\{([^}]*)\}/.exec(password) ?? [];
  return { address, role, totp: totp !== undefined, must_change: mustChange, scheme };
}

export async function changeTotp(
  [written = "", wanted = ""]: readonly string[],
  { json }: Given,
  means: Means,
): Promise<number> {
  const address = addressOf(written);
  if (wanted !== "on" && wanted !== "off") {
    throw new CommandError(`"${wanted}" is neither on nor off`, EXIT.usage);
  }
  const file = new UsersFile(await means.configuration());
  const secret = wanted === "on" ? base32(randomBytes(SECRET_OCTETS)) : null;
  await changeUser(file, address, (users) => {
    const user = users.find(address);
    if (user !== undefined && (user.totp !== undefined) === (secret !== null)) {
      const hint = wanted === "on" ? "; turn it off first for a new secret" : "";
      throw new CommandError(
        `the second factor of ${address} is ${wanted} already${hint}`,
        EXIT.notDone,
      );
    }
    return users.change(address, { totp: secret });
  });
  if (secret === null) {
    return done(json, { address, totp: false }, `${address} logs in without a second factor`);
  }
  const shown = totpText(address, secret);
  const sentence = `The second factor of ${address}, for an authenticator app:`;
  const text = `${sentence}\n  ${shown.secret}\n  ${shown.uri}`;
  return done(json, { address, totp: true, ...shown }, text);
}

/** `change` returns false if there is no such user; then nothing is changed. */
async function changeUser(
  file: UsersFile,
  address: string,
  change: (users: PasswdFile) => boolean,
): Promise<void> {
  await file.change((users) => {
    if (!change(users)) throw noUser(address, file.path);
    return true;
  });
}

async function done(json: boolean, value: object, text: string): Promise<number> {
  if (json) await printJson(value);
  else await print(`${text}\n`);
  return EXIT.ok;
}
