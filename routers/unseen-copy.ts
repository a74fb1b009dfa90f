// unseen-copy: accept with `unseen` on. The copy is delivered, and the next router is asked about the address as if the
// copy did not exist. The relay is named after this idea.
//
// Google expands groups itself, so the relay sees mail for a group only once. With `expand`, the members of a group get a
// copy as well.

import { options, optional, transportName, type Values } from "../src/options/options.ts";
import type { Decision, RouterDriver } from "../src/contract/contract.ts";
import { LOCAL_ERROR } from "../src/mail/status.ts";
import { lookupItem } from "../src/options/list-types.ts";
import { type Expansion, GroupExpansion } from "./unseen-copy/expansion.ts";

const unseenCopyOptions = options({
  transport: transportName("The transport that delivers the copy."),
  expand: optional(
    lookupItem(
      "The members of groups, as `lsearch:FILE` with lines like `group@domain: member@domain, member@domain`. Mail for a group leaves a copy for each member as well, also of groups in groups, if the lists of this router take the member. At most 5000 members get one. While the file cannot be read, the copies for members wait, and everything else goes on.",
    ),
    "groups are not expanded",
  ),
});

/**
 * Decisions:
 * - accept: always. `unseen` is true by default, so the chain goes on with the address. With `expand`, the members of
 *   the address are added. If they are not known, the copies for them are deferred.
 */
export const unseenCopy: RouterDriver<Values<typeof unseenCopyOptions>> = {
  name: "unseen-copy",
  options: unseenCopyOptions,
  defaults: { unseen: true, restored: false },
  create({ transport, expand }, services) {
    const accepted: Decision = { kind: "accept", transport };
    if (expand === undefined) return { route: () => accepted };
    const groups = new GroupExpansion(expand, services);
    const decide = ({ members, error }: Expansion): Decision => {
      if (error === undefined) return members.length === 0 ? accepted : { ...accepted, members };
      const why = `the members cannot be looked up: ${error}`;
      return { ...accepted, membersLater: { status: LOCAL_ERROR, why } };
    };
    return {
      route(_subject, { account: { domain, localPart } }) {
        if (domain === undefined || localPart === undefined) return accepted;
        const expansion = groups.expand(`${localPart}@${domain}`);
        return expansion instanceof Promise ? expansion.then(decide) : decide(expansion);
      },
    };
  },
};
