import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Status, status, statusLine } from "../../../src/mail/status.ts";
import { Dialogue, type SessionPort } from "../../../src/smtp/server/dialogue.ts";
import { type Phase, PHASES, phaseAfter } from "../../../src/smtp/server/states.ts";
import { serverOptions } from "../../support/server-options.ts";

const OK = status(250, "0.0", "taken");
const NO_HELLO = "503 5.5.1 HELO or EHLO first";
const SECOND_MAIL = "503 5.5.1 MAIL was given already";
const NO_SENDER = "503 5.5.1 MAIL first";
const NO_RECIPIENT = "503 5.5.1 No recipient was accepted";

/** A dialogue whose relay takes everything at once. */
class Conversation {
  readonly #replies: string[] = [];
  readonly #dialogue: Dialogue;

  constructor() {
    const say = (text: string) => void this.#replies.push(text.trimEnd());
    const session: SessionPort = {
      client: { address: "192.0.2.1", helo: "" },
      draining: false,
      offersTls: true,
      isRelayHost: true,
      hasInput: false,
      now: () => 0,
      write: say,
      reply: (answer: Status) => say(statusLine(answer)),
      end: (answer) => say(statusLine(answer)),
      outOfStep: say,
      // What the session does after the handshake.
      startTls: () => (session.client = { ...session.client, helo: "" }),
      onAccepted: () => undefined,
      onDropped: () => undefined,
      ask(_where, ask, then) {
        const answer = ask();
        if (answer instanceof Promise) void answer.then(then);
        else then(answer);
      },
    };
    this.#dialogue = new Dialogue(session, serverOptions({}, {}).limits, {
      connect: () => undefined,
      mail: () => ({
        recipient: () => OK,
        message: () => ({
          write: () => undefined,
          finish: () => Promise.resolve(OK),
          abort: () => undefined,
        }),
      }),
    });
  }

  say(line: string): string {
    this.#dialogue.command(line);
    return this.#replies.pop() ?? "no reply";
  }

  async sendText(): Promise<string> {
    const { incoming } = this.#dialogue;
    assert.ok(incoming !== undefined);
    this.#dialogue.readMessage(incoming, Buffer.from("\r\n.\r\n"));
    await new Promise(setImmediate);
    return this.#replies.pop() ?? "no reply";
  }

  /** By what it says to commands that only this state takes. */
  get state(): string {
    if (this.#dialogue.incoming !== undefined) return "text";
    const mail = this.say("MAIL FROM:<a@example.com>");
    if (mail === NO_HELLO) return "connected";
    if (mail.startsWith("250")) return "ready";
    assert.equal(mail, SECOND_MAIL);
    return this.say("DATA") === NO_RECIPIENT ? "sender" : "recipients";
  }
}

const EHLO = "EHLO client.example";
const MAIL = "MAIL FROM:<a@example.com>";
const RCPT = "RCPT TO:<b@example.com>";
const states = ["connected", "ready", "sender", "recipients"] as const;
type State = (typeof states)[number];
/** The commands that lead to each state. */
const WAYS: Record<State, readonly string[]> = {
  connected: [],
  ready: [EHLO],
  sender: [EHLO, MAIL],
  recipients: [EHLO, MAIL, RCPT],
};

/** The reply's beginning and the state after it. */
const TABLE: Record<string, Record<State, readonly [reply: string, state: string]>> = {
  [EHLO]: {
    connected: ["250-", "ready"],
    ready: ["250-", "ready"],
    sender: ["250-", "ready"],
    recipients: ["250-", "ready"],
  },
  "HELO client.example": {
    connected: ["250 ", "ready"],
    ready: ["250 ", "ready"],
    sender: ["250 ", "ready"],
    recipients: ["250 ", "ready"],
  },
  "HELO !": {
    connected: ["501 ", "connected"],
    ready: ["501 ", "ready"],
    sender: ["501 ", "sender"],
    recipients: ["501 ", "recipients"],
  },
  [MAIL]: {
    connected: [NO_HELLO, "connected"],
    ready: ["250 2.1.0", "sender"],
    sender: [SECOND_MAIL, "sender"],
    recipients: [SECOND_MAIL, "recipients"],
  },
  "MAIL nonsense": {
    connected: [NO_HELLO, "connected"],
    ready: ["501 ", "ready"],
    sender: [SECOND_MAIL, "sender"],
    recipients: [SECOND_MAIL, "recipients"],
  },
  [RCPT]: {
    connected: [NO_SENDER, "connected"],
    ready: [NO_SENDER, "ready"],
    sender: ["250 ", "recipients"],
    recipients: ["250 ", "recipients"],
  },
  "RCPT nonsense": {
    connected: [NO_SENDER, "connected"],
    ready: [NO_SENDER, "ready"],
    sender: ["501 ", "sender"],
    recipients: ["501 ", "recipients"],
  },
  DATA: {
    connected: [NO_SENDER, "connected"],
    ready: [NO_SENDER, "ready"],
    sender: [NO_RECIPIENT, "sender"],
    recipients: ["354 ", "text"],
  },
  "DATA now": {
    connected: ["501 5.5.4 Syntax: DATA", "connected"],
    ready: ["501 5.5.4 Syntax: DATA", "ready"],
    sender: ["501 5.5.4 Syntax: DATA", "sender"],
    recipients: ["501 5.5.4 Syntax: DATA", "recipients"],
  },
  RSET: {
    connected: ["250 ", "connected"],
    ready: ["250 ", "ready"],
    sender: ["250 ", "ready"],
    recipients: ["250 ", "ready"],
  },
  NOOP: {
    connected: ["250 ", "connected"],
    ready: ["250 ", "ready"],
    sender: ["250 ", "sender"],
    recipients: ["250 ", "recipients"],
  },
  "VRFY b": {
    connected: ["252 ", "connected"],
    ready: ["252 ", "ready"],
    sender: ["252 ", "sender"],
    recipients: ["252 ", "recipients"],
  },
  STARTTLS: {
    connected: ["503 5.5.1 STARTTLS is not available", "connected"],
    ready: ["220 ", "connected"],
    sender: ["220 ", "connected"],
    recipients: ["220 ", "connected"],
  },
  "EXPN list": {
    connected: ["500 ", "connected"],
    ready: ["500 ", "ready"],
    sender: ["500 ", "sender"],
    recipients: ["500 ", "recipients"],
  },
};

describe("the states of a dialogue", () => {
  for (const [line, row] of Object.entries(TABLE)) {
    for (const state of states) {
      const [reply, next] = row[state];
      it(`${line} in "${state}": ${reply.trim()}, then "${next}"`, () => {
        const conversation = new Conversation();
        for (const step of WAYS[state]) conversation.say(step);
        const said = conversation.say(line);
        assert.ok(said.startsWith(reply), said);
        assert.equal(conversation.state, next);
      });
    }
  }

  for (const state of states) {
    it(`QUIT in "${state}" has its reply`, () => {
      const conversation = new Conversation();
      for (const step of WAYS[state]) conversation.say(step);
      assert.equal(conversation.say("QUIT"), "221 2.0.0 Bye");
    });
  }

  it('the end of the text leads back to "ready"', async () => {
    const conversation = new Conversation();
    for (const step of [...WAYS.recipients, "DATA"]) conversation.say(step);
    assert.equal(await conversation.sendText(), "250 2.0.0 taken");
    assert.equal(conversation.state, "ready");
  });

  it("no command is read within the text", () => {
    const conversation = new Conversation();
    for (const step of [...WAYS.recipients, "DATA"]) conversation.say(step);
    assert.throws(() => conversation.say("NOOP"), /within a message/);
    assert.equal(conversation.state, "text");
  });
});

const phases = [
  "waiting",
  "opening",
  "admitting",
  "talking",
  "asking",
  "securing",
  "ended",
] as const;

const EVENTS = ["ask", "answer", "greet", "shake", "shaken", "end"] as const;

/** The phase after each event, in the order of EVENTS; "-" where nothing changes. */
const MOVES: Record<Phase, readonly string[]> = {
  waiting: ["admitting", "-", "talking", "opening", "-", "ended"],
  opening: ["-", "-", "-", "-", "waiting", "ended"],
  admitting: ["-", "waiting", "-", "-", "-", "ended"],
  talking: ["asking", "-", "-", "securing", "-", "ended"],
  asking: ["-", "talking", "-", "-", "-", "ended"],
  securing: ["-", "-", "-", "-", "talking", "ended"],
  ended: ["-", "-", "-", "-", "-", "-"],
};

describe("the phases of a session", () => {
  for (const phase of phases) {
    const moves = MOVES[phase];
    it(`from "${phase}": ${moves.join(" ")}`, () => {
      const found = EVENTS.map((event) => phaseAfter(phase, event));
      assert.deepEqual(
        found,
        moves.map((next) => (next === "-" ? phase : next)),
      );
    });
  }

  it("only before the greeting is input too early", () => {
    const early = phases.filter((phase) => PHASES[phase].isEarly);
    assert.deepEqual(early, ["waiting", "admitting"]);
  });
});
