// Keeps copies for one proxy: where the copies of a login go, what becomes of a message that cannot be kept, and the
// counts for `relayctl proxies status`.

import type { Clock } from "../../../base/clock.ts";
import type { Outcome, Recipient, Transport } from "../../../contract/contract.ts";
import type { Account } from "../../../mail/account.ts";
import type { Body, Mailbox } from "../../../mail/envelope.ts";
import { idText } from "../../../mail/ids.ts";
import { placeText } from "../../../mail/place.ts";
import { statusLine } from "../../../mail/status.ts";
import type { Log } from "../../../observe/log.ts";
import { accountOf, type ProxyAccount } from "../account.ts";
import type { ProxyOptions } from "../options.ts";
import type { Tally } from "../tally.ts";
import { Copy, type Finished } from "./copy.ts";
import type { KeptMessages } from "./kept.ts";

export interface KeeperMeans {
  readonly options: ProxyOptions;
  readonly clock: Clock;
  readonly log: Log;
  readonly transport: Transport;
  readonly kept: KeptMessages;
  readonly tally: Tally;
}

/** The login leads to no place for copies. */
export interface NoPlace {
  readonly why: string;
}

let lastId = 0;

/** Microseconds since the epoch, each used once in this process. */
function newId(clock: Clock): string {
  lastId = Math.max(lastId + 1, clock.now() * 1000);
  return idText(lastId);
}

/** The copies of one login. */
export class Copying {
  readonly account: string;
  readonly #user: string;
  readonly #recipient: Recipient;
  readonly #maildir: string;
  readonly #means: KeeperMeans;

  constructor(
    {
      account,
      user,
      recipient,
      maildir,
    }: {
      readonly account: string;
      readonly user: string;
      readonly recipient: Recipient;
      readonly maildir: string;
    },
    means: KeeperMeans,
  ) {
    this.account = account;
    this.#user = user;
    this.#recipient = recipient;
    this.#maildir = maildir;
    this.#means = means;
  }

  /** Begins the copy of a message that is about to pass. */
  begin(): Copy {
    const { clock, kept } = this.#means;
    return new Copy(newId(clock), {
      write: (id, body, signal) => this.#write(id, body, signal),
      keep: (id, sha256, write) => {
        const { account } = this;
        return kept.keep({ account, sha256, id, maildir: this.#maildir, at: clock.now() }, write);
      },
    });
  }

  /** Whether the client may have the message. The log and the counts have what became of the copy. */
  judge(finished: Finished): boolean {
    const { options, log, tally } = this.#means;
    const { account } = this;
    tally.count(account, finished);
    if (finished.kind === "kept") {
      const { path, size } = finished;
      log.event("proxy.kept", { proxy: options.name, account, path, size });
    }
    if (finished.kind !== "failed") return true;
    const passed = options.on_store_failure === "pass";
    const { why } = finished;
    log.event("proxy.not_kept", { proxy: options.name, account, user: this.#user, why, passed });
    return passed;
  }

  async #write(id: string, body: Body, signal: AbortSignal): Promise<string> {
    const { transport, clock } = this.#means;
    const envelope = {
      id,
      sender: null,
      client: { address: "", helo: "" },
      receivedAt: clock.now(),
      size: body.size,
      eightBit: true,
      smtputf8: false,
    };
    const recipients = [this.#recipient];
    const batch = { envelope, body, recipients, fresh: true, force: true };
    const outcomes = await transport.deliver(batch, signal);
    return pathOf(outcomes.get(this.#recipient.id));
  }
}

function pathOf(outcome: Outcome | undefined): string {
  if (outcome?.kind === "delivered" && outcome.place !== undefined) return placeText(outcome.place);
  throw new Error(outcome === undefined ? "it was not written" : statusLine(outcome.status));
}

export class CopyKeeper {
  readonly #means: KeeperMeans;

  constructor(means: KeeperMeans) {
    this.#means = means;
  }

  /** The copies of a login. `user` is undefined if the way of logging in hides it. */
  forLogin(user: string | undefined): Copying | NoPlace {
    const { options, transport } = this.#means;
    if (user === undefined) return { why: "the login does not show its user" };
    const account = accountOf(user, options);
    if (account === undefined) return { why: "the login has no domain: set default_domain" };
    const recipient = recipientOf(account);
    const maildir = transport.destination?.(recipient);
    if (maildir === undefined) {
      return { why: `the account ${JSON.stringify(account.account)} is no safe directory name` };
    }
    return new Copying({ account: account.account, user, recipient, maildir }, this.#means);
  }

  /** Whether a client whose login leads to no place may be served nevertheless. */
  mayPass(user: string | undefined, { why }: NoPlace): boolean {
    const { options, log } = this.#means;
    const passed = options.on_store_failure === "pass";
    log.event("proxy.not_kept", { proxy: options.name, user: user ?? "", why, passed });
    return passed;
  }
}

function recipientOf({ account, localPart, domain }: ProxyAccount): Recipient {
  const mailbox: Mailbox = { address: account, localPart, domain: domain ?? "" };
  const names: Account = {
    account,
    accountLocalPart: localPart,
    localPart,
    ...(domain === undefined ? {} : { accountDomain: domain, domain }),
    folder: "",
  };
  return { id: "1", mailbox, original: mailbox, account: names };
}
