// [submission]: what one user may send.

import {
  integer,
  optional,
  options,
  rate,
  size,
  type Values,
  withDefault,
} from "../../options/options.ts";

export const submissionOptions = options({
  rate: withDefault(
    rate(
      "Recipients that one user may send to in a time. Further ones get 450, so a stolen password does limited harm.",
    ),
    "1000/1h",
  ),
  recipients_max: withDefault(integer("Most recipients of one message.", 1), 500),
  message_size_limit: optional(
    size("The largest message that a user may send."),
    "`message_size_limit` of [relay]",
  ),
});

export type SubmissionOptions = Values<typeof submissionOptions>;
