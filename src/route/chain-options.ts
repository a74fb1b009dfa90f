// The options that every router has, whatever its driver: its name, its preconditions, and what happens
// after its answer. The chain in src/route/route.ts carries them out; a driver never sees them.

import { domainList, localPartList } from "../options/list-types.ts";
import { flag, NAME, optional, options, text, withDefault, marked } from "../options/options.ts";
import type { Values } from "../options/options.ts";

export const chainOptions = options({
  name: marked(
    { isUnique: true },
    text(
      "What the router is called in the log. It may get another name at any time: what was delivered stays so.",
      NAME,
    ),
  ),
  driver: text(
    "What kind of router it is: a name below, a package, or a file such as `./mine.ts`.",
  ),
  domains: optional(domainList("The recipient's domain must be in this list."), "any"),
  local_parts: optional(localPartList("The recipient's local part must be in this list."), "any"),
  sender_domains: optional(
    domainList("The domain of the envelope sender must be in this list; a null sender never is."),
    "any",
  ),
  sender_local_parts: optional(
    localPartList("The local part of the envelope sender must be in this list."),
    "any",
  ),
  relayed: optional(
    flag(
      "With true, only mail that came by a relay rule, the proof of the rule included; with false, only the mail of everybody else. An envelope sender alone is a claim, which any client can make.",
    ),
    "both, unless the driver says otherwise",
  ),
  unseen: optional(
    flag(
      "A delivery by this router is a copy: the address goes on to the next router as if unseen.",
    ),
    "false, unless the driver says otherwise",
  ),
  cutthrough: withDefault(
    flag(
      "A message that goes to one next host only, copies aside, is passed on before its client has its reply, and " +
        "what the host says is the reply: what it refuses never bounces. Whatever else happens, the message is " +
        "queued as usual.",
    ),
    false,
  ),
  more: withDefault(
    flag("When the router declines an address, ask the next one. If not, the address fails."),
    true,
  ),
});

export type ChainOptions = Values<typeof chainOptions>;

export const transportOptions = options({
  driver: text(
    "What kind of transport it is: a name below, a package, or a file such as `./mine.ts`.",
  ),
});
