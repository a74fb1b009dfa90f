// The part that sets up a new relay: relayctl init. It runs once, before there is a configuration, and has no part in
// the running relay.

import { command, word, words } from "../../contract/command.ts";
import { flag, optional, options, withDefault } from "../../options/options.ts";
import { part } from "../part.ts";

const flags = options({
  domain: optional(words("domain", "a mail domain; once for each")),
  hostname: optional(word("name", "the name of the relay, with an address and a PTR record")),
  address: optional(words("ip", "the public address of the relay; once for IPv4, once for IPv6")),
  directory: withDefault(word("path", "the directory for routers.toml"), "/etc/unseen"),
  spool: withDefault(
    word("path", "the directory for messages that wait, on a local disk"),
    "/var/spool/unseen",
  ),
  mail: withDefault(word("path", "the directory for the Maildirs"), "/var/mail/unseen"),
  user: withDefault(
    word("name", "the user that the relay becomes after its start as root"),
    "unseen",
  ),
  yes: withDefault(flag("write the files without a question"), false),
});

const NOTES = `Writes routers.toml with a secret of its own, a file for the accounts, and a
self-signed certificate if there is none. Prints the DNS records and the
settings at Google that come next. Never overwrites a file.
On a terminal, the command asks for the flags that are missing.

Exit status: 0 done, 1 a file exists or you said no, 64 a flag is missing or
wrong, 69 a file cannot be written. Unless the exit is 0, nothing was written.`;

export const setUp = part({
  name: "setup",
  commands: [
    command({
      name: "init",
      summary:
        "write the configuration of a new relay, and print what to set in the DNS and at Google",
      flags,
      notes: NOTES,
      run: async (_, given) => (await import("./init.ts")).initCommand(given),
    }),
  ],
});
