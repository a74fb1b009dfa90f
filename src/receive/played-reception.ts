// The reception of a played session: `relayctl doctor` speaks SMTP over the control socket, under the address of a client
// of its choice, to see whether a stranger could send mail through the relay.
//
// Invariants:
// - The gate in force answers each RCPT. Routers, rates, block lists, the log and the history are not touched.
// - No message is ever accepted: DATA of a played session ends with a refusal.

import type { Gate, Verdict } from "./gate/gate.ts";
import { status, type Status } from "../mail/status.ts";
import type { MessageSink, Reception } from "../smtp/server/reception.ts";

const NO_MESSAGE = status(554, "5.0", "A played session accepts no message");

const REFUSING: MessageSink = {
  write: () => undefined,
  finish: () => Promise.resolve(NO_MESSAGE),
  abort: () => undefined,
};

/** The end of the reply to a recipient that is accepted only if the message brings its proof. */
export const WITH_PROOF = "if the message has its proof";

export function playedReception(gate: Pick<Gate, "judge">): Reception {
  return {
    connect: () => undefined,
    mail: (client, { sender }) => ({
      recipient: async ({ mailbox }) => playedReply(await gate.judge(client, sender, mailbox)),
      message: () => REFUSING,
    }),
  };
}

/** The reply to RCPT. It names the rule of the gate, in parentheses. */
function playedReply(verdict: Verdict): Status {
  const rule = `(${verdict.rule})`;
  if (verdict.kind !== "accept") {
    return { ...verdict.reply, text: `${verdict.reply.text} ${rule}` };
  }
  const proof = verdict.proof === undefined ? "" : `, ${WITH_PROOF}`;
  return status(250, "1.5", `Accepted ${rule}${proof}`);
}
