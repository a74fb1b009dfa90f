// relayctl users add, passwd, role, remove, list and totp.
//
// Invariant: a command that fails has changed nothing.

import { randomBytes } from "node:crypto";
import { readAccounts } from "../../accounts/accounts.ts";
import { print, printJson, warn } from "../../base/terminal.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { passwordFieldOf, type Role, type User } from "../../users/passwd-file.ts";
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
  await done(json, { address, role }, `${address} can log in now`);
  return EXIT.ok;
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
  await file.change((users) => {
    if (!users.change(address, { password, mustChange: false })) throw noUser(address, file.path);
    return true;
  });
  await done(json, { address }, `${address} has the new password`);
  return EXIT.ok;
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
  await file.change((users) => {
    if (!users.change(address, { role })) throw noUser(address, file.path);
    return true;
  });
  await done(json, { address, role }, `${address} has the role ${role}`);
  return EXIT.ok;
}

export async function removeUser(
  [written = ""]: readonly string[],
  { json }: Given,
  means: Means,
): Promise<number> {
  const address = addressOf(written);
  const file = new UsersFile(await means.configuration());
  await file.change((users) => {
    if (!users.remove(address)) throw noUser(address, file.path);
    return true;
  });
  await done(json, { address }, `${address} can no longer log in; its mail stays`);
  return EXIT.ok;
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
  await file.change((users) => {
    const user = users.find(address);
    if (user === undefined) throw noUser(address, file.path);
    if ((user.totp !== undefined) === (secret !== null)) {
      const hint = wanted === "on" ? "; turn it off first for a new secret" : "";
      throw new CommandError(
        `the second factor of ${address} is ${wanted} already${hint}`,
        EXIT.notDone,
      );
    }
    return users.change(address, { totp: secret });
  });
  if (secret === null) {
    await done(json, { address, totp: false }, `${address} logs in without a second factor`);
  } else if (json) {
    await printJson({ address, totp: true, ...totpText(address, secret) });
  } else {
    const { secret: shown, uri } = totpText(address, secret);
    await print(
      `The second factor of ${address}, for an authenticator app:\n  ${shown}\n  ${uri}\n`,
    );
  }
  return EXIT.ok;
}

async function done(json: boolean, value: object, sentence: string): Promise<void> {
  if (json) await printJson(value);
  else await print(`${sentence}\n`);
}
