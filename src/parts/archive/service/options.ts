// [archive]: the Maildirs that are searched, proven and thinned out, and where the archive's own files lie.

import { flag, options, path, type Values, withDefault } from "../../../options/options.ts";
import { retention } from "../retention/options.ts";

export const archiveOptions = options({
  directory: withDefault(
    path(
      "The Maildirs, each in DOMAIN/LOCAL_PART below this directory, as the transports that copy fill them.",
    ),
    "/var/mail/unseen",
  ),
  state: withDefault(
    path("The directory for the archive's own files: index, manifest, holds and audit log."),
    "/var/lib/unseen",
  ),
  attachments: withDefault(
    flag(
      "Search the text of attachments too: plain text, HTML, calendars, PDF, OOXML and OpenDocument.",
    ),
    true,
  ),
  retention,
});

export type ArchiveOptions = Values<typeof archiveOptions>;
