// The contract between the relay and its drivers: what a router may decide, what a transport may report.
// routers/README.md and transports/README.md say it in prose. A third party's driver has these types by way of
// src/driver.ts.
//
// Invariants: a driver that throws means "defer"; a recipient that a transport leaves out of its map counts as
// deferred. So a bug delays mail and never loses or bounces it.
//
// Doors: command.ts.

import type { WrittenDirectory } from "../base/durable/directory.ts";
import type { Clock } from "../base/clock.ts";
import type { Options } from "../options/options.ts";
import type { Resolver } from "../dns/dns.ts";
import type { Body, Client, Envelope, Mailbox, MessageId, RecipientId } from "../mail/envelope.ts";
import type { Lists } from "../lists/lists.ts";
import type { Log } from "../observe/log.ts";
import type { MaildirDisks } from "../maildir/maildir-disks.ts";
import type { StsPolicies } from "../tls/sts-policies.ts";
import type { TlsSessions } from "../tls/sessions.ts";
import type { Room } from "../base/room.ts";
import type { Status } from "../mail/status.ts";
import type { Place } from "../mail/place.ts";
import type { Awaited, Host, HostHint, RetryError } from "../mail/host.ts";
import type { Account } from "../mail/account.ts";

export type Decision =
  | { readonly kind: "accept"; readonly transport: string; readonly hosts?: readonly Host[] }
  | { readonly kind: "redirect"; readonly to: readonly Mailbox[] }
  | {
      readonly kind: "decline";
      readonly why?: string;
      /** Why it cannot take the address (5xx): the reply, if no other router takes it. */
      readonly status?: Status;
      /** The router is not sure: if no later one takes the address, it is deferred with this, and not failed. */
      readonly otherwise?: Status;
    }
  | { readonly kind: "pass"; readonly why?: string }
  | { readonly kind: "discard"; readonly why: string }
  | { readonly kind: "fail" | "defer"; readonly status: Status; readonly why?: string };

/** One address on its way through the router chain. */
export interface RouteSubject {
  /** The address being routed; after a redirect, the new one. */
  readonly mailbox: Mailbox;
  /** The RCPT that it descends from. */
  readonly original: Mailbox;
}

export interface RouteContext {
  /** null is <>. */
  readonly sender: Mailbox | null;
  readonly client: Client;
  /** Canonical keys that the preconditions of this router found, as in {@link Account}. */
  readonly account: Account;
  /**
   * At RCPT and in a dry run: decide as in earnest, and write nothing. What is said at RCPT goes with the message to its
   * first attempt: the router is asked again, with false, only after a wait, a reload or a restart.
   */
  readonly verify: boolean;
}

export interface Router {
  route(subject: RouteSubject, context: RouteContext): Promise<Decision> | Decision;
}

/** One routed delivery of one message, as a transport sees it. */
export interface Recipient {
  readonly id: RecipientId;
  readonly mailbox: Mailbox;
  /** The RCPT that it descends from: what Envelope-to shows. */
  readonly original: Mailbox;
  /** Further RCPTs that lead to the same mailbox, or to the same Maildir. Envelope-to shows them too. */
  readonly alsoFor?: readonly Mailbox[];
  readonly account: Account;
  readonly notify?: string;
  readonly orcpt?: string;
}

export interface Batch {
  readonly envelope: Envelope;
  readonly body: Body;
  readonly recipients: readonly Recipient[];
  /** Hosts that the router gave; absent when the transport is to use its own. */
  readonly hosts?: readonly Host[];
  /** Its first attempt: it has not waited in the queue. */
  readonly fresh: boolean;
  /**
   * An earlier attempt was cut short by the end of the relay, or had no answer of a file system: what it has delivered
   * may not be known.
   */
  readonly interrupted?: true;
  /** By the postmaster's order, or because it is the last attempt: hints are to be ignored. */
  readonly force: boolean;
}

export type Outcome =
  | {
      readonly kind: "delivered" | "failed";
      readonly status: Status;
      /** The host or the socket that spoke; or the file that was written. */
      readonly place?: Place;
      /** Delivered to a host that took NOTIFY over, and reports success by itself (RFC 3461 5.2.1). */
      readonly dsnPassedOn?: true;
      /** The TLS that it was told under, for the log. */
      readonly tls?: string;
      /** Delivered into the mailbox itself, although by a host. */
      readonly final?: true;
    }
  | {
      readonly kind: "deferred";
      readonly status: Status;
      readonly place?: Place;
      readonly scope: "recipient" | "message" | "host";
      /** Operator must look: the delivery is frozen and reported, not retried. */
      readonly freeze?: boolean;
      readonly error?: RetryError;
      /** No attempt makes sense before this time (ms since the epoch): a hint's, or that of its turn. */
      readonly notBefore?: number;
      /** What makes it due before its time: the end of this hint. */
      readonly waitsFor?: Awaited;
      /** The domain that the postmaster holds back: not a transport's business. */
      readonly heldDomain?: string;
      /** It does not end before this time (ms since the epoch), whatever the retry rules say, and is looked at by then. */
      readonly notFinalBefore?: number;
      /** Nothing was tried, because it is not the delivery's turn before `notBefore`: not a failure. */
      readonly untried?: true;
      /**
       * Only of a message that is still coming in (`body.unread`): the host has certainly not taken it, and this says
       * nothing of one that is here whole. It is delivered in the ordinary way at once.
       */
      readonly notPassed?: true;
    };

export interface TlsRule {
  /** A value of `tls`, if no policy of the destination's decides; `barred`: nothing is sent to the host now. */
  readonly rule: "none" | "opportunistic" | "required" | "verify" | "dane" | "mta-sts" | "barred";
  /** "DANE: 2 TLSA records, secure". */
  readonly why: string;
}

export interface Transport {
  /** "remote" waits until the local copies of a message are done, and is what a bounce speaks of. */
  readonly locality: "local" | "remote";
  /**
   * Local, and yet a server, whose answer may be late although it has the message: it is waited for as long as its
   * own timeouts say, and meanwhile the mail goes on.
   */
  readonly ownDeadlines?: true;
  /** Recipients with the same key go in one batch. */
  batchKey(recipient: Recipient): string;
  deliver(batch: Batch, signal: AbortSignal): Promise<ReadonlyMap<RecipientId, Outcome>>;
  /** Where this recipient's copy would go, for a dry run; undefined where there is no path. */
  destination?(recipient: Recipient): string | undefined;
  /**
   * What a copy is done by, where one is for all recipients that lead there: a Maildir. Without it a copy is done by its
   * address at the hosts of the transport.
   */
  place?(recipient: Recipient): string | undefined;
  /** What it makes its own directories in: made for the user of the relay while that is still root. */
  readonly directory?: WrittenDirectory;
  /** The hosts this transport would try by itself, for a dry run; absent when it needs none from a router either. */
  readonly hosts?: readonly Host[];
  /** By which rule a host would be spoken to under TLS, for a dry run. */
  tlsRule?(host: Host): Promise<TlsRule>;
  close?(): Promise<void>;
}

export interface HostFailure {
  /** The host's name, for the retry rules. */
  readonly host: string;
  /** The domain that the mail was for. */
  readonly domain: string;
  readonly status: Status;
  readonly error?: RetryError;
}

/** What was under way when a host ended the connection. */
export interface UnderWay {
  readonly message: MessageId;
  /** The host said nothing at all of it. */
  readonly isSilent: boolean;
}

/** What is known of hosts that could not be used: src/retry/hosts/. A key is the host's, or that of a recipient there. */
export interface Hints {
  /** Nothing is known to anybody's disadvantage. */
  readonly isEmpty: boolean;
  /** The hint, while the host is not to be tried; a suspected host may be, but for `message`. */
  blocked(key: string, message?: MessageId): HostHint | undefined;
  /** It failed the last time, not only one message: if it is to be tried, one is enough to find out. */
  isInDoubt(key: string): boolean;
  /** The host failed. When it is tried again, in ms since the epoch. */
  failed(key: string, failure: HostFailure): number;
  /** The host, which can be reached, has ended the connection under a message. */
  closedUnder(key: string, failure: HostFailure, under: UnderWay): void;
  /**
   * The host has put a recipient off. When mail for the recipient is tried again, whosever it is, if that is what
   * the reply means; `key` is the recipient's.
   */
  recipientFailed(key: string, failure: HostFailure): number | undefined;
  /** It can be used: of those who wait for it so many are woken as there is room for. */
  succeeded(key: string, room?: number): void;
}

/** Everything a driver may touch that a test wants to fake. */
export interface Services {
  readonly clock: Clock;
  readonly log: Log;
  readonly resolver: Resolver;
  readonly lists: Lists;
  readonly hints: Hints;
  /** Absent where no other deliveries are: in a dry run. */
  readonly room?: Room;
  readonly mtaSts: StsPolicies;
  /** Absent where nobody counts: in a dry run. */
  readonly tlsSessions?: TlsSessions;
  /** Shared by all that writes Maildirs; absent in a dry run. */
  readonly maildirDisks?: MaildirDisks;
  /** Our own name: EHLO, Received, Maildir file names. */
  readonly hostname: string;
  /** Addresses that we listen on or hold: a host that resolves to one of them is ourselves. */
  readonly ownAddresses: ReadonlySet<string>;
  /** Directory of the configuration file: relative paths start here. */
  readonly configDirectory: string;
}

/** A precondition of the chain that a router may insist on. */
type ChainOption = "domains" | "local_parts" | "sender_domains" | "sender_local_parts";

/**
 * One kind of router or transport. `options` are its own; the preconditions that every router has (domains,
 * local_parts, sender_domains, sender_local_parts, relayed, unseen, more) belong to the chain. A router that accepts
 * declares `transport: transportName(...)` itself, because its Decision names the transport.
 *
 * `create` is a method on purpose: a `Driver<SmtpOptions, …>` then fits a table of `Driver<unknown, …>`.
 * That is sound because `create` is only ever handed what `options.read` of the same driver gave.
 */
export interface Driver<O, Instance> {
  readonly name: string;
  readonly options: Options<O>;
  /** Routers: what a generic option is when the file does not say. */
  readonly defaults?: { readonly unseen?: boolean; readonly relayed?: boolean };
  /** Routers: preconditions that this driver cannot do without. */
  readonly requires?: readonly ChainOption[];
  create(options: O, services: Services): Instance;
}

/** What a router's files say, for `relayctl check`. */
export interface RouterSurvey {
  /** What is hardly meant, a line each: `FILE:LINE: what is wrong`. */
  readonly doubts: readonly string[];
  /** Addresses that the router has something to say about: `name` with a domain or without, and where it stands. */
  readonly addresses: readonly { readonly name: string; readonly at: string }[];
}

export interface RouterDriver<O = unknown> extends Driver<O, Router> {
  /** Looks at the files that the options name. `spoolDirectory` is where a relay keeps what it believes. */
  survey?(options: O, spoolDirectory: string): Promise<RouterSurvey>;
}

export type TransportDriver<O = unknown> = Driver<O, Transport>;
