// The part for the users file: [users], the commands that change the file, and the socket at which other processes have
// logins judged.

import { flag, nested, oneOf, optional, options, withDefault } from "../../options/options.ts";
import { loginEvents } from "../../users/events.ts";
import { usersSocket } from "../../users/login-protocol.ts";
import { type LoginServer, serveLogins } from "../../users/login-server.ts";
import { usersFileOf, usersOptions } from "../../users/options.ts";
import { part, partCommand } from "../part.ts";
import type * as Commands from "./commands.ts";
import type { Means } from "./commands.ts";

const ROLES = ["none", "auditor", "admin"] as const;

const PASSWORD_NOTES = `The password is asked for twice on the terminal; otherwise it is the first line
of standard input. It is never part of the command line.`;

const none = options({});

type Run<Flags> = (words: readonly string[], given: Flags, means: Means) => Promise<number>;

/** A command of commands.ts, which is loaded when it runs. */
function run<Flags>(pick: (commands: typeof Commands) => Run<Flags>): Run<Flags> {
  return async (words, given, means) => pick(await import("./commands.ts"))(words, given, means);
}

export const users = part({
  name: "users",
  events: loginEvents,
  sections: {
    users: withDefault(
      nested("The people who may log in, by submission and at Dovecot.", usersOptions),
      {},
    ),
  },
  start({ readOnly, logins, spoolDirectory, log }) {
    if (readOnly) return {};
    let server: LoginServer | undefined;
    return {
      async begin({ configuration }) {
        logins.follow(usersFileOf(configuration));
        server = await serveLogins(usersSocket(spoolDirectory), logins, log);
      },
      follow: ({ configuration }) => logins.follow(usersFileOf(configuration)),
      close: async () => server?.close(),
    };
  },
  groups: { users: "show and change the people who may log in" },
  commands: [
    partCommand({
      name: "users add",
      summary: "add a user, who can then send by submission and log in at Dovecot",
      argument: "<address>",
      flags: options({
        role: optional(oneOf("the role: auditors see all mail, admins also change it", ROLES)),
      }),
      notes: `${PASSWORD_NOTES}
Exit status: 0 done, 1 the user exists, the password is empty, or the address is
an alias, 64 the address or the role is wrong.`,
      run: run(({ addUser }) => addUser),
    }),
    partCommand({
      name: "users passwd",
      summary: "give a user a new password",
      argument: "<address>",
      flags: none,
      notes: PASSWORD_NOTES,
      run: run(({ changePassword }) => changePassword),
    }),
    partCommand({
      name: "users role",
      summary: "give a user a role: none, auditor or admin",
      argument: "<address> <role>",
      flags: none,
      run: run(({ changeRole }) => changeRole),
    }),
    partCommand({
      name: "users remove",
      summary: "take a user out of the file; the mail stays",
      argument: "<address>",
      flags: none,
      run: run(({ removeUser }) => removeUser),
    }),
    partCommand({
      name: "users list",
      summary: "show the users, with their roles",
      argument: "[address]",
      flags: none,
      run: run(({ listUsers }) => listUsers),
    }),
    partCommand({
      name: "users totp",
      summary: "turn the second factor of a user, for logins on the web, on or off",
      argument: "<address> <on|off>",
      flags: none,
      run: run(({ changeTotp }) => changeTotp),
    }),
    partCommand({
      name: "users invite",
      summary:
        "print one-time passwords as CSV: for named users, or for all accounts without a user",
      argument: "[addresses...]",
      flags: options({
        all: withDefault(flag("every active account of a person that has no user yet"), false),
      }),
      run: async (words, given, means) =>
        (await import("./invite.ts")).inviteUsers(words, given, means),
    }),
  ],
});
