// The options that every router has, whatever its driver: its name, its preconditions, and what happens
// after its answer. The chain in src/route/route.ts carries them out; a driver never sees them.

import { domainList, localPartList } from "../options/list-types.ts";
import { flag, NAME, optional, options, text, withDefault, marked } from "../options/options.ts";
import type { Values } from "../options/options.ts";

export const chainOptions = options({
  name: marked(
    { isUnique: true },
    text(
      "The name of the router in the log. You may change it at any time: delivered mail is not delivered again.",
      NAME,
    ),
  ),
  driver: text("The kind of router: a name below, a package, or a file such as `./mine.ts`."),
  domains: optional(domainList("The recipient's domain must be in this list."), "any"),
  local_parts: optional(
    localPartList("The recipient's local part must be in this list.", "domains"),
    "any",
  ),
  sender_domains: optional(
    domainList(
      "The domain of the envelope sender must be in this list; a null sender never matches.",
    ),
    "any",
  ),
  sender_local_parts: optional(
    localPartList("The local part of the envelope sender must be in this list.", "sender_domains"),
    "any",
  ),
  relayed: optional(
    flag(
      "With true, only mail that came by a relay rule, with the proof of the rule; with false, only other mail. An envelope sender alone is a claim, which any client can make.",
    ),
    "both, unless the driver has a default of its own",
  ),
  restored: optional(
    flag(
      "With true, only mail that the archive gives back; with false, only other mail, so that what comes from the archive is not copied into it again.",
    ),
    "both, unless the driver has a default of its own",
  ),
  unseen: optional(
    flag(
      "A delivery by this router is a copy: the next router is asked about the address as if the copy did not exist.",
    ),
    "false, unless the driver has a default of its own",
  ),
  cutthrough: withDefault(
    flag(
      "If the message goes to one next host (copies do not count), the relay passes it on before its client has the reply. " +
        "The answer of the host is the reply, so mail that the host refuses does not bounce. In any other case the message " +
        "is queued as usual.",
    ),
    false,
  ),
  more: withDefault(
    flag("If the router declines an address, ask the next router. With false, the address fails."),
    true,
  ),
});

export type ChainOptions = Values<typeof chainOptions>;

export const transportOptions = options({
  driver: text("The kind of transport: a name below, a package, or a file such as `./mine.ts`."),
});
