// smtp-server, as submission uses it: the order of commands, EHLO, AUTH and the replies. It never listens, and never
// sees a client's socket, an address or a message.
//
// Invariants:
// - It gets one command at a time, whole and valid, with a number in place of each address: see session.ts.
// - An error in one of these questions is 451; one of smtp-server itself destroys the front of its session.

import { SMTPServer, type SMTPServerAuthentication } from "smtp-server";
import { LOCAL_ERROR, type Status } from "../../mail/status.ts";
import type { Front } from "./front.ts";

/** The questions of smtp-server about one session. All of them may reject: then the client gets 451. */
export interface Asked {
  /** The user that has logged in, or the refusal. */
  login(given: Credentials): Promise<string | Status>;
  /** 250, or the refusal. */
  mail(): Promise<Status>;
  recipient(): Promise<Status>;
  /** The message has been announced. Resolves when the whole message has come, to its reply. */
  message(): Promise<Status>;
  /** The relay's own error in one of these. */
  onError(where: string, error: unknown): void;
}

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** The state of the connection below. */
type Safety = "unsafe" | "tls" | "loopback";

interface DialogueOptions {
  readonly hostname: string;
  readonly sizeMax: number;
}

export class DialogueServer {
  readonly #servers: Readonly<Record<Safety, SMTPServer>>;
  readonly #dialogues = new Map<string, { readonly asked: Asked; readonly front: Front }>();
  #sessions = 0;

  constructor(options: DialogueOptions) {
    this.#servers = {
      // Before STARTTLS nobody can log in, so nobody can send.
      unsafe: this.#create(options, { hideSTARTTLS: false, disabledCommands: ["AUTH"] }),
      tls: this.#create(options, { secure: true, secured: true }),
      loopback: this.#create(options, { hideSTARTTLS: true }),
    };
  }

  /** Begins a session on `front`. The greeting comes within a fraction of a second. */
  connect(front: Front, safety: Safety, client: string, asked: Asked): void {
    const id = String(++this.#sessions);
    this.#dialogues.set(id, { asked, front });
    front.once("close", () => this.#dialogues.delete(id));
    const server = this.#servers[safety];
    // Its type asks for a socket of the network. What it uses of one, Front has.
    const connect: unknown = Reflect.get(server, "connect");
    if (typeof connect !== "function") throw new Error("smtp-server has no connect");
    Reflect.apply(connect, server, [front, { id, remoteAddress: client }]);
  }

  #create(
    { hostname, sizeMax }: DialogueOptions,
    {
      disabledCommands = [],
      ...own
    }: { secure?: true; secured?: true; hideSTARTTLS?: boolean; disabledCommands?: string[] },
  ): SMTPServer {
    const server = new SMTPServer({
      ...own,
      name: hostname,
      banner: "unseen submission",
      heloResponse: "%s",
      size: sizeMax,
      logger: false,
      authMethods: ["PLAIN", "LOGIN"],
      hideDSN: false,
      disableReverseLookup: true,
      disabledCommands: [
        ...disabledCommands,
        "WIZ",
        "SHELL",
        "KILL",
        "HELP",
        "XCLIENT",
        "XFORWARD",
      ],
      onAuth: (auth, { id }, callback) =>
        void this.#answer(id, "AUTH", callback, async (asked) => {
          const user = await asked.login(credentialsOf(auth));
          if (typeof user !== "string") throw new Refusal(user);
          return { user };
        }),
      onMailFrom: (_, { id }, callback) =>
        void this.#answer(id, "MAIL", callback, async (asked) => accepted(await asked.mail())),
      onRcptTo: (_, { id }, callback) =>
        void this.#answer(id, "RCPT", callback, async (asked) => accepted(await asked.recipient())),
      onData: (stream, { id }, callback) => {
        stream.resume();
        void this.#answer(id, "DATA", callback, async (asked) => accepted(await asked.message()));
      },
    });
    // An error of one connection: the session sees its end.
    server.on("error", () => undefined);
    return server;
  }

  async #answer<T>(
    id: string,
    where: string,
    callback: (error: Error | null, value?: T) => void,
    ask: (asked: Asked) => Promise<T>,
  ): Promise<void> {
    const dialogue = this.#dialogues.get(id);
    if (dialogue === undefined) return;
    const { asked, front } = dialogue;
    let refusal: Refusal | null = null;
    let value: T | undefined;
    try {
      value = await ask(asked);
    } catch (error) {
      if (!(error instanceof Refusal)) asked.onError(where, error);
      refusal = error instanceof Refusal ? error : new Refusal(LOCAL_ERROR);
    }
    try {
      callback(refusal, value);
    } catch (error) {
      front.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** An error in smtp-server's sense: a reply that is no success. */
class Refusal extends Error {
  readonly responseCode: number;

  constructor({ code, enhanced, text }: Status) {
    super(`${enhanced} ${text}`);
    this.responseCode = code;
  }
}

/** The text of a success; throws the refusal. */
function accepted(reply: Status): string {
  if (reply.code >= 300) throw new Refusal(reply);
  return `${reply.enhanced} ${reply.text}`;
}

/** Some programs give the name as the identity to act for, and leave that to log in empty. */
function credentialsOf({
  username = "",
  password,
  authcid,
  authzid = "",
}: SMTPServerAuthentication): Credentials {
  const isOwn =
    authzid === "" || authcid === "" || authzid.toLowerCase() === authcid?.toLowerCase();
  // Nobody acts for somebody else: such a login fails like one with an unknown name.
  return { user: isOwn ? username : "", password: password ?? "" };
}
