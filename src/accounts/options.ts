// [accounts]: the directory that the accounts come from, and the files that they are written to.
//
// Invariants:
// - Each domain has a file of its own, so that its local parts never serve another domain.
// - Access tokens go only to an https address, or to this machine.

import { parseDomain } from "../mail/address.ts";
import {
  duration,
  list,
  mailbox,
  oneOf,
  optional,
  options,
  parsedText,
  path,
  share,
  text,
  type Values,
  withCheck,
  withDefault,
} from "../options/options.ts";

/** The domain in the name of a file. */
const DOMAIN = "{domain}";

const declaredOptions = options({
  source: withDefault(oneOf("The directory that has the accounts.", ["google"] as const), "google"),
  key_file: optional(
    path(
      "The key of the service account, a JSON file from the Cloud console. It is read at each sync, so a new key needs no reload.",
    ),
    "Application Default Credentials: `$GOOGLE_APPLICATION_CREDENTIALS`, or the machine's own service account at Google Cloud",
  ),
  subject: optional(
    mailbox(
      "The administrator in whose name the service account asks (domain-wide delegation).",
      "admin@example.com",
    ),
    "the service account asks in its own name, and has an admin role",
  ),
  customer: withDefault(
    text("The Google customer whose directory is read: `my_customer`, or an id like `C01abcdef`."),
    "my_customer",
  ),
  domains: list(
    "The domains of the accounts. The sync leaves out addresses of other domains.",
    domainProblem,
    { type: "list of domain names" },
  ),
  file: path(
    "The lsearch file that the sync writes; `{domain}` in it stands for each of `domains`. One domain needs no `{domain}`.",
  ),
  interval: withDefault(
    duration("The time from one sync to the next. With `0s` only `relayctl accounts sync` syncs."),
    "15m",
  ),
  suspended: withDefault(
    oneOf("Mail for users that are suspended or archived.", ["accept", "refuse"] as const),
    "accept",
  ),
  removal_delay: withDefault(
    duration(
      "The time for which an address that has left the directory stays in its file. A comment above it has the date.",
    ),
    "7d",
  ),
  shrink_limit: withDefault(
    share(
      "The largest share of the entries of a file that one sync may take out. A sync that would take out more changes nothing, until `relayctl accounts sync --force`.",
    ),
    "10%",
  ),
  extra: withDefault(
    list(
      "Local parts that every one of `domains` accepts, whatever the directory says.",
      nameProblem,
      {
        type: "list of local parts",
      },
    ),
    ["postmaster", "abuse"],
  ),
  group_members: optional(
    path(
      'The lsearch file for the members of groups, for `expand = "lsearch:FILE"` of the router driver `unseen-copy`.',
    ),
    "members are not asked for",
  ),
  api: withDefault(
    apiAddress("The address of Google's Directory API."),
    "https://admin.googleapis.com",
  ),
  gmail_api: withDefault(
    apiAddress("The address of the Gmail API, for `relayctl coverage --against gmail`."),
    "https://gmail.googleapis.com",
  ),
});

export const accountsOptions = withCheck(declaredOptions, (given, report) => {
  const { domains, file } = given;
  if (domains.length === 0) report("domains", "names no domain");
  if (domains.length > 1 && !file.includes(DOMAIN)) {
    report("file", `must contain ${DOMAIN}: each of several domains has a file of its own`);
  }
  if (given.group_members?.includes(DOMAIN) === true) {
    report("group_members", `cannot contain ${DOMAIN}: one file has the groups of all domains`);
  }
});

export type AccountsOptions = Values<typeof accountsOptions>;

/** The file of a domain. */
export function accountsFileOf({ file }: Pick<AccountsOptions, "file">, domain: string): string {
  return file.replaceAll(DOMAIN, domain);
}

function domainProblem(item: string): string | undefined {
  const domain = parseDomain(item);
  if (domain === undefined || domain.startsWith("[")) return "is no domain";
  return domain === item ? undefined : `must be written as "${domain}"`;
}

function nameProblem(item: string): string | undefined {
  return /^[A-Za-z0-9!$%&'*+/=?^_`{|}~.-]+$/.test(item) ? undefined : "is no local part";
}

/** Hosts that are this machine. */
const OWN_HOST = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

function apiAddress(doc: string) {
  const is = 'an https address like "https://admin.googleapis.com"';
  return parsedText("address", { doc, is }, (written) => {
    const url = URL.parse(written);
    if (url === null || url.search + url.hash + url.username !== "") return undefined;
    const isSafe =
      url.protocol === "https:" || (url.protocol === "http:" && OWN_HOST.test(url.hostname));
    return isSafe ? written.replace(/\/+$/, "") : undefined;
  });
}
