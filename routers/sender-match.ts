// sender-match: takes mail by its envelope sender, for the copy in the sender's own folder of sent mail. The
// preconditions sender_domains and sender_local_parts make the match. This driver requires both: without
// them it would file all mail. Any client can claim any envelope sender, so by default
// the driver takes only relayed mail. By default it makes a copy (unseen), because the mail itself goes on.

import { options, transportName, type Values } from "../src/options/options.ts";
import type { Decision, RouterDriver } from "../src/contract/contract.ts";

const senderMatchOptions = options({
  transport: transportName("The transport for the addresses that this router accepts."),
});

/**
 * Decisions:
 * - accept: the envelope sender is in sender_domains and in sender_local_parts.
 * - decline: the sender is <>, which is not an address.
 */
export const senderMatch: RouterDriver<Values<typeof senderMatchOptions>> = {
  name: "sender-match",
  options: senderMatchOptions,
  defaults: { unseen: true, relayed: true, restored: false },
  requires: ["sender_domains", "sender_local_parts"],
  create({ transport }) {
    const accepted: Decision = { kind: "accept", transport };
    const declined: Decision = { kind: "decline", why: "the sender is <>" };
    return { route: (_subject, { sender }) => (sender === null ? declined : accepted) };
  },
};
