// sender-match: takes mail by who sent it, for the copy in a sender's own folder of sent mail. The match itself
// is made by the preconditions sender_domains and sender_local_parts, which this driver insists on: without
// them it would file the mail of the whole world. An envelope sender is a claim that anybody can make, so by default
// only relayed mail is taken; and by default as a copy (unseen), for the mail itself goes on.

import { options, transportName, type Values } from "../src/options/options.ts";
import type { Decision, RouterDriver } from "../src/contract/contract.ts";

const senderMatchOptions = options({
  transport: transportName("Delivers what this router accepts."),
});

/**
 * Decisions:
 * - accept: the envelope sender is in sender_domains and in sender_local_parts.
 * - decline: the sender is <>, which is nobody's address.
 */
export const senderMatch: RouterDriver<Values<typeof senderMatchOptions>> = {
  name: "sender-match",
  options: senderMatchOptions,
  defaults: { unseen: true, relayed: true },
  requires: ["sender_domains", "sender_local_parts"],
  create({ transport }) {
    const accepted: Decision = { kind: "accept", transport };
    const declined: Decision = { kind: "decline", why: "the sender is <>" };
    return { route: (_subject, { sender }) => (sender === null ? declined : accepted) };
  },
};
