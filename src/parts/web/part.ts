// The part for the pages on which people find their mail.

import { nested, optional } from "../../options/options.ts";
import { usersFileOf } from "../../users/options.ts";
import { part } from "../part.ts";
import { webOptions } from "./options.ts";

export const web = part({
  name: "web",
  sections: {
    web: optional(
      nested(
        "Web pages on which the users of [users] search and read their mail in the archive. Without this table there are none.",
        webOptions,
      ),
    ),
  },
  warnings: ({ parts: sections, file }) =>
    sections["web"] !== undefined && sections["archive"] === undefined
      ? [`${file}: web: there is no [archive], so the pages find no mail`]
      : [],
  process: {
    isWanted: ({ web: own }) => own !== undefined,
    addresses: ({ web: own }) => (own === undefined ? [] : [own.address]),
    uses: (configuration) => usersFileOf(configuration),
    async serve({ configuration, sections, clock, log }) {
      if (sections.web === undefined) throw new Error("there is no [web] in routers.toml");
      const { serve } = await import("./process.ts");
      return serve(configuration, sections.web, { clock, log });
    },
  },
});
