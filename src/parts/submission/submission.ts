// The server for mail programs: its listeners and its sessions.
//
// Invariants:
// - Its connections have slots of their own: a flood of logins takes none from port 25.
// - `stop` lets each transaction under way end within its grace time.

import { LoopShare } from "../../base/loop-share.ts";
import { KeyedRate } from "../../base/keyed-rate.ts";
import { type Accepted, type Door, Listeners } from "../../base/net/listeners.ts";
import { Sessions } from "../../base/net/sessions.ts";
import type { Clock } from "../../base/clock.ts";
import type { Configuration } from "../../config/configuration.ts";
import type { Client } from "../../mail/envelope.ts";
import { status, type Status } from "../../mail/status.ts";
import type { Log } from "../../observe/log.ts";
import type { Reception } from "../../smtp/server/reception.ts";
import type { ServerOptions } from "../../smtp/server/server.ts";
import { sessionLog, TOO_MANY } from "../../smtp/server/session-log.ts";
import type { Logins } from "../../users/logins.ts";
import type { PartMeans, PartServer } from "../part.ts";
import { type Credentials, DialogueServer } from "./dialogue-server.ts";
import type { SubmissionOptions } from "./options.ts";
import { Senders } from "./senders.ts";
import { Session } from "./session.ts";
import { userMail, type UserRules } from "./user-mail.ts";

const WRONG = status(535, "7.8", "Authentication credentials invalid");
const LATER = status(454, "7.0", "Too many failed logins, try again later");

interface Applied {
  readonly rules: UserRules;
  readonly dialogue: DialogueServer;
  readonly rate: SubmissionOptions["rate"];
}

export class Submission implements PartServer {
  readonly protocol = "submission";
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #logins: Pick<Logins, "login">;
  readonly #sessions: Sessions<Session>;
  #options: ServerOptions | undefined;
  #listeners: Listeners | undefined;
  #applied: Applied | undefined;
  #reception: Reception | undefined;

  constructor({ clock, log, logins }: Pick<PartMeans, "clock" | "log" | "logins">) {
    this.#clock = clock;
    this.#log = log;
    this.#logins = logins;
    const { onError } = sessionLog(log);
    this.#sessions = new Sessions(clock, ({ client }, error) => onError(client, "session", error));
  }

  /** Applies the configuration to new sessions, and the rules to new messages of all. */
  apply(options: SubmissionOptions, configuration: Configuration): void {
    const { hostname, message_size_limit: relayMax } = configuration.relay;
    const sizeMax = Math.min(options.message_size_limit ?? relayMax, relayMax);
    const before = this.#applied;
    const isSameRate =
      before?.rate.count === options.rate.count && before.rate.window === options.rate.window;
    const rate = isSameRate ? before.rules.rate : new KeyedRate(options.rate, this.#clock);
    const senders = new Senders(configuration, this.#clock);
    this.#applied = {
      rules: { senders, rate, recipientsMax: options.recipients_max, sizeMax, hostname },
      dialogue: new DialogueServer({ hostname, sizeMax }),
      rate: options.rate,
    };
  }

  follow(options: ServerOptions): void {
    // No client has a slot in reserve: relay hosts do not log in.
    this.#options = { ...options, isReserved: () => false };
    this.#listeners?.follow(this.#options);
  }

  async listenOnly(doors: readonly Door[]): Promise<readonly number[]> {
    if (doors.length === 0 && this.#listeners === undefined) return [];
    return this.#opened().listenOnly(doors);
  }

  #opened(): Listeners {
    const options = this.#options;
    if (options === undefined) throw new Error("there are no options yet");
    this.#listeners ??= new Listeners(options, {
      clock: this.#clock,
      log: this.#log,
      share: new LoopShare(),
      refusal: `${TOO_MANY}\r\n`,
      onRefused: sessionLog(this.#log).onRefused,
    });
    if (this.#reception !== undefined) this.#serveFrom(this.#listeners, this.#reception);
    return this.#listeners;
  }

  open(reception: Reception): void {
    this.#reception = reception;
    if (this.#listeners !== undefined) this.#serveFrom(this.#listeners, reception);
  }

  #serveFrom(listeners: Listeners, reception: Reception): void {
    listeners.open((accepted) => this.#serve(accepted, reception));
  }

  #serve(accepted: Accepted, reception: Reception): void {
    const [options, applied] = [this.#options, this.#applied];
    if (options === undefined || applied === undefined) throw new Error("not yet configured");
    const { sizeMax } = applied.rules;
    const session = new Session(accepted, {
      server: applied.dialogue,
      limits: { ...options.limits, sizeMax },
      now: () => this.#clock.monotonic(),
      login: (client, given) => this.#login(client, given),
      mail: async (client, user, request) => {
        const { rules } = this.#applied ?? applied;
        const means = { reception, rules, clock: this.#clock, log: this.#log };
        return userMail({ client, user }, request, means);
      },
      ...sessionLog(this.#log),
      onClose: (closed) => this.#sessions.delete(closed),
    });
    this.#sessions.add(session);
    session.start();
  }

  async #login({ address }: Client, { user, password }: Credentials): Promise<string | Status> {
    const result = await this.#logins.login({ client: address, user, password, by: "submission" });
    if (result.kind === "right") return result.user.address;
    return result.kind === "wrong" ? WRONG : LATER;
  }

  async stop(grace: number): Promise<void> {
    const stopped = this.#listeners?.stop();
    await this.#sessions.stop(grace);
    await stopped;
  }
}
