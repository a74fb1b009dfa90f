// An IMAP client before the login, while a server is connected: everything passes, except STARTTLS, which is the
// proxy's own, and logins in clear where TLS is required.
//
// Invariant: where TLS is required, no argument of LOGIN or AUTHENTICATE reaches the server before the handshake.

import { COMMANDS_MAX, LINE_MAX } from "../protocol.ts";
import type { Session } from "../session.ts";
import { Peer } from "../wire/peer.ts";
import { decoded, userOf } from "../wire/sasl.ts";
import { rewritten } from "./capabilities.ts";
import { type ImapCommand, literalOf, outcomeOf, parseCommand, stringsOf } from "./syntax.ts";

/** Octets of a literal before the login: a user name, a password, an ID. */
export const LITERAL_MAX = 8192;
/** Literals of one command. */
const LITERALS_MAX = 64;

/** A login whose answer has not come. */
interface Login {
  readonly tag: string;
  /** "LOGIN", or the mechanism of AUTHENTICATE. */
  readonly mechanism: string;
  /** The client's next lines belong to the exchange. */
  readonly isExchange: boolean;
  user: string | undefined;
  readonly messages: Buffer[];
}

export class PassingFront {
  readonly #session: Session;
  readonly #client: Peer;
  readonly #server: Peer;
  #login: Login | undefined;
  #commands = 0;

  constructor(session: Session) {
    this.#session = session;
    this.#client = session.client;
    this.#server = session.server;
  }

  /** Resolves when client and server are joined, or the session is over. */
  async run(): Promise<void> {
    const client = this.#client;
    const server = this.#server;
    for (;;) {
      const reply = server.takeLine(LINE_MAX);
      if (reply !== undefined) {
        if (await this.#answered(reply)) return;
      } else if (server.isOver || client.isDestroyed) {
        return;
      } else if (!(await this.#next())) {
        if (client.isOver && this.#login === undefined) return this.#session.join();
        await Peer.either(client, server);
      }
    }
  }

  /** Passes a line of the server on. Returns true when the client is logged in. */
  async #answered(line: Buffer): Promise<boolean> {
    const login = this.#login;
    const outcome = login && outcomeOf(line, login.tag);
    if (login === undefined || outcome === undefined) {
      this.#client.write(rewritten(line, this.#session));
      const literal = literalOf(line);
      if (literal !== undefined) await passOctets(this.#server, this.#client, literal.size);
      return false;
    }
    this.#login = undefined;
    const user = login.user ?? userOf(login.mechanism, login.messages);
    this.#client.write(outcome === "OK" ? line : rewritten(line, this.#session));
    if (outcome === "OK") {
      this.#session.loggedIn(user);
      this.#session.join();
      return true;
    }
    this.#session.loginFailed(user, line.toString("latin1"));
    return false;
  }

  /** Takes the client's next line, if it may be taken and has come. */
  async #next(): Promise<boolean> {
    const login = this.#login;
    if (login !== undefined && !login.isExchange) return false;
    const line = this.#client.takeLine(LINE_MAX);
    if (line === undefined) return false;
    if (login !== undefined) {
      const message = decoded(line.toString("latin1"));
      if (message !== undefined && login.messages.length < 4) login.messages.push(message);
      this.#server.write(line);
      return true;
    }
    this.#commands += 1;
    if (this.#commands > COMMANDS_MAX) {
      this.#client.write("* BYE Too many commands before the login\r\n");
      this.#server.destroy();
      return true;
    }
    await this.#command(line);
    return true;
  }

  async #command(line: Buffer): Promise<void> {
    const command = parseCommand(line);
    const { needsTls } = this.#session;
    if (command?.name === "STARTTLS") return this.#startTls(command.tag);
    const isLogin = command?.name === "LOGIN" || command?.name === "AUTHENTICATE";
    if (needsTls && isLogin) return refuseClear(this.#client, command, line);
    if (command?.name === "AUTHENTICATE") {
      this.#login = exchangeOf(command, line);
      this.#server.write(line);
      return;
    }
    const whole = await this.#forward(line, command);
    if (command?.name !== "LOGIN" || whole === undefined) return;
    const [user] = stringsOf(whole);
    this.#login = { tag: command.tag, mechanism: "LOGIN", isExchange: false, user, messages: [] };
  }

  async #startTls(tag: string): Promise<void> {
    if (!this.#session.needsTls) {
      this.#client.write(`${tag} BAD STARTTLS is not available\r\n`);
      return;
    }
    await this.#session.acceptTls(`${tag} OK Begin TLS negotiation now`);
  }

  /** Sends a command with its literals. Returns it whole; undefined if the server did not want a literal. */
  async #forward(first: Buffer, command: ImapCommand | undefined): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let line = first;
    for (let literals = 0; ; literals++) {
      parts.push(line);
      this.#server.write(line);
      const literal = literalOf(line);
      if (literal === undefined) return Buffer.concat(parts);
      if (literals >= LITERALS_MAX || literal.size > LITERAL_MAX) {
        this.#client.write("* BYE The literal is too long\r\n");
        this.#server.destroy();
        return undefined;
      }
      if (literal.waits && !(await this.#continued(command?.tag))) return undefined;
      const octets = await octetsOf(this.#client, literal.size);
      parts.push(octets);
      this.#server.write(octets);
      line = await this.#client.line(LINE_MAX);
    }
  }

  /** Passes lines of the server on until it wants the literal (true), or has ended the command. */
  async #continued(tag = "*"): Promise<boolean> {
    for (;;) {
      const line = await this.#server.line(LINE_MAX);
      this.#client.write(rewritten(line, this.#session));
      if (line.toString("latin1", 0, 1) === "+") return true;
      if (outcomeOf(line, tag) !== undefined) return false;
    }
  }
}

function exchangeOf({ tag }: ImapCommand, line: Buffer): Login {
  const [mechanism = "", initial] = stringsOf(line);
  const message = initial === undefined ? undefined : decoded(initial);
  return {
    tag,
    mechanism: mechanism.toUpperCase(),
    isExchange: true,
    user: undefined,
    messages: message === undefined ? [] : [message],
  };
}

/** Refuses a login in clear. Arguments that come without being asked for are read and forgotten. */
export async function refuseClear(
  client: Peer,
  { tag }: ImapCommand,
  first: Buffer,
): Promise<void> {
  let line = first;
  for (;;) {
    const literal = literalOf(line);
    if (literal === undefined || literal.waits) break;
    await passOctets(client, undefined, literal.size);
    line = await client.line(LINE_MAX);
  }
  client.write(`${tag} NO [PRIVACYREQUIRED] STARTTLS is required before the login\r\n`);
}

/** Exactly so many octets. Rejects with PeerGone. */
export async function octetsOf(peer: Peer, count: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let left = count; left > 0;) {
    const chunk = await peer.chunk(left);
    parts.push(chunk);
    left -= chunk.length;
  }
  return Buffer.concat(parts);
}

async function passOctets(from: Peer, to: Peer | undefined, count: number): Promise<void> {
  for (let left = count; left > 0;) {
    const chunk = await from.chunk(left);
    await to?.send(chunk);
    left -= chunk.length;
  }
}
