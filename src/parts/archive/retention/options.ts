// [archive.retention]: which mail the archive lets go, and which it never touches.

import {
  duration,
  nested,
  optional,
  options,
  share,
  tables,
  text,
  type Values,
  withCheck,
  withDefault,
} from "../../../options/options.ts";

const ruleOptions = options({
  account: optional(
    text("The accounts, such as `bob@example.com` or `*@example.net`. `*` is any text."),
    "all",
  ),
  folder: optional(text("The folders, such as `Sent`, `INBOX` or `Archive/*`."), "all"),
  keep: duration("The greatest age of their mail."),
});

const declaredOptions = options({
  high_water: withDefault(
    share(
      "If the file system is fuller than this, as `df` counts, or has used more of its inodes, the oldest mail of all accounts goes.",
    ),
    "90%",
  ),
  free: withDefault(
    share(
      "How much of the file system is freed then. At most this much goes by the water mark in 24 hours, unless `relayctl archive retain` is run by hand.",
    ),
    "5%",
  ),
  keep: optional(
    duration(
      "The greatest age of mail. It is no promise: the water mark takes the oldest mail first, whatever its age.",
    ),
    "no limit",
  ),
  rules: withDefault(
    tables(
      "Other ages for accounts and folders. The first that matches decides, before `keep`.",
      ruleOptions,
    ),
    [],
  ),
  minimum: withDefault(duration("Younger mail never goes, by age or by the water mark."), "30d"),
});

export const retentionOptions = withCheck(declaredOptions, (given, report) => {
  const { keep, rules, minimum, free, high_water: mark } = given;
  const tooShort = "is shorter than `minimum`";
  if (keep !== undefined && keep < minimum) report("keep", tooShort);
  for (const [index, rule] of rules.entries()) {
    if (rule.keep < minimum) report(`rules[${index}].keep`, tooShort);
  }
  if (mark === 0) report("high_water", "must be above 0%");
  if (free === 0 || free >= mark) report("free", "must be above 0% and below `high_water`");
});

export const retention = optional(
  nested("Which mail goes, and when. Without this table none ever goes.", retentionOptions),
);

export type RetentionOptions = Values<typeof retentionOptions>;

/** Clauses about options that are valid together and often meant otherwise. */
export function retentionWarnings({ keep, rules, high_water: mark }: RetentionOptions): string[] {
  if (keep === undefined && rules.length === 0) return [];
  const option = keep === undefined ? "rules" : "keep";
  return [
    `archive.retention.${option}: an age is no promise: if the file system is fuller than ${mark * 100}% (high_water), the oldest mail goes whatever its age; only minimum and holds protect mail`,
  ];
}
