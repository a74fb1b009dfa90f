// The part for keys of DKIM: relayctl dkim new.

import { word } from "../../contract/command.ts";
import { optional, options } from "../../options/options.ts";
import { part, partCommand } from "../part.ts";

const NOTES = `Writes a private key and prints the DNS record of its public key. Publish the
record before an smtp transport or [relay] names the key in \`dkim\`.
Exit status: 0 done, 1 the file exists, 64 the domain or the selector is wrong,
69 the file cannot be written.`;

export const dkim = part({
  name: "dkim",
  groups: { dkim: "make keys that sign mail" },
  commands: [
    partCommand({
      name: "dkim new",
      summary: "make a key that signs mail of a domain, and print its DNS record",
      argument: "<domain> <selector>",
      flags: options({
        out: optional(
          word("file", "the file for the key"),
          "DOMAIN.SELECTOR.pem, beside routers.toml",
        ),
      }),
      notes: NOTES,
      run: async (words, given, means) => (await import("./new.ts")).newKey(words, given, means),
    }),
  ],
});
