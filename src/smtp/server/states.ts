// The states of a session: the order of commands, and whose turn it is, the client's or the relay's.
//
// Commands move a dialogue from state to state (RFC 5321 3.3, 4.1.4). For every state, a command names the next state
// once the relay has taken it, or the reply that refuses it there. The end of the text leads back to "ready", whatever
// the reply. After the table, the dialogue checks the other conditions: syntax, TLS, an address that the relay takes.
// A refused command leaves the state as it is.
//
// Events move a session from phase to phase. An event that a phase does not name changes nothing.

import { status, type Status } from "../../mail/status.ts";

export type DialogueState =
  /** No HELO or EHLO yet, or none since the TLS handshake. */
  | "connected"
  /** No transaction is under way. */
  | "ready"
  /** MAIL was taken. */
  | "sender"
  /** At least one RCPT was taken. */
  | "recipients"
  /** DATA was taken: the client's input is text, not commands, until the message has its reply. */
  | "text";

/** The states in which commands are read. */
type CommandState = Exclude<DialogueState, "text">;

type Verb =
  | "EHLO"
  | "HELO"
  | "MAIL"
  | "RCPT"
  | "DATA"
  | "RSET"
  | "NOOP"
  | "VRFY"
  | "STARTTLS"
  | "QUIT";

interface Command {
  readonly verb: Verb;
  /** Makes no progress: a client could repeat it for ever without sending a message. */
  readonly isJunk: boolean;
  /** An argument is a mistake. */
  readonly isBare: boolean;
  readonly from: Readonly<Record<CommandState, DialogueState | Status>>;
}

const NO_HELLO = status(503, "5.1", "HELO or EHLO first");
const SECOND_MAIL = status(503, "5.1", "MAIL was given already");
const NO_SENDER = status(503, "5.1", "MAIL first");
const NO_RECIPIENT = status(503, "5.1", "No recipient was accepted");

const hello: Command["from"] = {
  connected: "ready",
  ready: "ready",
  sender: "ready",
  recipients: "ready",
};
const nothingChanges: Command["from"] = {
  connected: "connected",
  ready: "ready",
  sender: "sender",
  recipients: "recipients",
};

const commands: readonly Command[] = [
  { verb: "EHLO", isJunk: true, isBare: false, from: hello },
  { verb: "HELO", isJunk: true, isBare: false, from: hello },
  {
    verb: "MAIL",
    isJunk: false,
    isBare: false,
    from: { connected: NO_HELLO, ready: "sender", sender: SECOND_MAIL, recipients: SECOND_MAIL },
  },
  {
    verb: "RCPT",
    isJunk: false,
    isBare: false,
    from: {
      connected: NO_SENDER,
      ready: NO_SENDER,
      sender: "recipients",
      recipients: "recipients",
    },
  },
  {
    verb: "DATA",
    isJunk: false,
    isBare: true,
    from: { connected: NO_SENDER, ready: NO_SENDER, sender: NO_RECIPIENT, recipients: "text" },
  },
  {
    verb: "RSET",
    isJunk: true,
    isBare: true,
    from: { connected: "connected", ready: "ready", sender: "ready", recipients: "ready" },
  },
  { verb: "NOOP", isJunk: true, isBare: false, from: nothingChanges },
  { verb: "VRFY", isJunk: true, isBare: false, from: nothingChanges },
  {
    // RFC 3207 4.2: everything said in the clear is forgotten, the greeting too.
    verb: "STARTTLS",
    isJunk: false,
    isBare: true,
    from: {
      connected: "connected",
      ready: "connected",
      sender: "connected",
      recipients: "connected",
    },
  },
  { verb: "QUIT", isJunk: false, isBare: false, from: nothingChanges },
];

/** The commands by their verb, in capitals. */
export const COMMANDS: ReadonlyMap<string, Command> = new Map(
  commands.map((command) => [command.verb, command]),
);

export type Phase =
  /** The client has to wait for the greeting. Every session begins here. */
  | "waiting"
  /** TLS is negotiated ahead of the greeting. */
  | "opening"
  /** The relay is asked whether it takes the client. */
  | "admitting"
  /** It is the client's turn. */
  | "talking"
  /** It is the relay's turn to answer. */
  | "asking"
  /** TLS is negotiated after STARTTLS. */
  | "securing"
  /** Last words are said, or the socket is gone. */
  | "ended";

type PhaseEvent =
  /** The relay is asked and answers later. */
  | "ask"
  | "answer"
  | "greet"
  /** A TLS handshake begins. */
  | "shake"
  | "shaken"
  | "end";

interface PhaseRules {
  /** Input in this phase is ahead of the greeting: the client is cut off. */
  readonly isEarly: boolean;
  /** The side that the session waits for. It decides which deadline runs; the relay has none. */
  readonly awaits: "client" | "relay" | "handshake" | "close";
  readonly on: Readonly<Partial<Record<PhaseEvent, Phase>>>;
}

export const PHASES: Readonly<Record<Phase, PhaseRules>> = {
  waiting: {
    isEarly: true,
    awaits: "client",
    on: { ask: "admitting", greet: "talking", shake: "opening", end: "ended" },
  },
  opening: {
    isEarly: false,
    awaits: "handshake",
    on: { shaken: "waiting", end: "ended" },
  },
  admitting: {
    isEarly: true,
    awaits: "relay",
    on: { answer: "waiting", end: "ended" },
  },
  talking: {
    isEarly: false,
    awaits: "client",
    on: { ask: "asking", shake: "securing", end: "ended" },
  },
  asking: {
    isEarly: false,
    awaits: "relay",
    on: { answer: "talking", end: "ended" },
  },
  securing: {
    isEarly: false,
    awaits: "handshake",
    on: { shaken: "talking", end: "ended" },
  },
  ended: { isEarly: false, awaits: "close", on: {} },
};

/** The phase after `event` in `phase`. */
export function phaseAfter(phase: Phase, event: PhaseEvent): Phase {
  return PHASES[phase].on[event] ?? phase;
}
