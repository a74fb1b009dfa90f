// The part for mail from users' own mail programs (RFC 6409): listeners with protocol = "submission", and [submission].

import { nested, withDefault } from "../../options/options.ts";
import { part } from "../part.ts";
import { submissionOptions } from "./options.ts";
import { Submission } from "./submission.ts";

export const submission = part({
  name: "submission",
  sections: {
    submission: withDefault(
      nested(
        'Mail from users that log in, at listeners with `protocol = "submission"`.',
        submissionOptions,
      ),
      {},
    ),
  },
  start(means) {
    if (means.readOnly) return {};
    const server = new Submission(means);
    return {
      server,
      begin: ({ sections, configuration }) => server.apply(sections.submission, configuration),
      follow: ({ sections, configuration }) => server.apply(sections.submission, configuration),
    };
  },
});
