// The users file of a configuration, for the commands: who owns it, and what its errors mean.

import { findUser } from "../../base/users.ts";
import { cannotRead } from "../../base/file-errors.ts";
import { errorCode } from "../../base/error-code.ts";
import type { Configuration } from "../../config/configuration.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { parseMailbox } from "../../mail/address.ts";
import { usersFileOf } from "../../users/options.ts";
import type { PasswdFile } from "../../users/passwd-file.ts";
import { changeUsers, readUsers } from "../../users/users.ts";

/** The address as the file has it. Throws CommandError with exit 64 if it cannot stand there. */
export function addressOf(written: string): string {
  const mailbox = parseMailbox(written);
  const address = mailbox && `${mailbox.localPart}@${mailbox.domain}`.toLowerCase();
  if (address === undefined || /[\s:"]|^#/u.test(address) || address.endsWith("]")) {
    throw new CommandError(`"${written}" is no address of a user`, EXIT.usage);
  }
  return address;
}

export function noUser(address: string, file: string): CommandError {
  return new CommandError(`there is no user ${address} in ${file}`, EXIT.notDone);
}

export class UsersFile {
  readonly path: string;
  readonly #configuration: Configuration;

  constructor(configuration: Configuration) {
    this.#configuration = configuration;
    this.path = usersFileOf(configuration);
  }

  async read(): Promise<PasswdFile> {
    try {
      return await readUsers(this.path);
    } catch (error) {
      throw new CommandError(cannotRead(this.path, error), EXIT.noInput);
    }
  }

  /** Replaces the file if `change` returns true. Throws CommandError if that fails. */
  async change(change: (users: PasswdFile) => boolean): Promise<void> {
    const { user } = this.#configuration.relay;
    const owner = user === undefined ? undefined : findUser(user);
    try {
      await changeUsers(this.path, { owner }, change);
    } catch (error) {
      if (error instanceof CommandError) throw error;
      const code = errorCode(error);
      const why = code ?? (error instanceof Error ? error.message : String(error));
      throw new CommandError(
        `cannot change ${this.path}: ${why}; nothing was changed`,
        EXIT.unavailable,
      );
    }
  }
}
