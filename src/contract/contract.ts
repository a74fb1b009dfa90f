// The contract between the relay and its drivers: what a router may decide and what a transport may report.
// routers/README.md and transports/README.md explain it in prose. Third-party drivers get these types through
// src/driver.ts.
//
// Invariants: a driver that throws means "defer"; a recipient that a transport leaves out of its map counts as
// deferred. So a bug delays mail and never loses or bounces it.
//
// Doors: command.ts, exit.ts, scanner.ts.

import type { WrittenDirectory } from "../base/durable/directory.ts";
import type { Clock } from "../base/clock.ts";
import type { Options } from "../options/options.ts";
import type { Resolver } from "../dns/dns.ts";
import type { Body, Client, Envelope, Mailbox, MessageId, RecipientId } from "../mail/envelope.ts";
import type { Lists } from "../lists/lists.ts";
import type { Log } from "../observe/log.ts";
import type { MaildirDisks } from "../disks/maildir-disks.ts";
import type { StsPolicies } from "../tls/sts-policies.ts";
import type { TlsSessions } from "../tls/sessions.ts";
import type { Room } from "../base/room.ts";
import type { Status } from "../mail/status.ts";
import type { Place } from "../mail/place.ts";
import type { Awaited, Host, HostHint, RetryError } from "../mail/host.ts";
import type { Account } from "../mail/account.ts";

export type Decision =
  | {
      readonly kind: "accept";
      readonly transport: string;
      readonly hosts?: readonly Host[];
      /**
       * Further addresses that get a copy by the same transport, each if the preconditions of the router take it: the
       * members of a group. They get no mail, and nothing becomes of those that are not taken.
       */
      readonly members?: readonly Mailbox[];
      /** Not all members are known now (4xx): the copies for them are deferred, and the delivery itself is not. */
      readonly membersLater?: { readonly status: Status; readonly why: string };
    }
  | { readonly kind: "redirect"; readonly to: readonly Mailbox[] }
  | {
      readonly kind: "decline";
      readonly why?: string;
      /** Why the router cannot take the address (5xx). Becomes the reply if no other router takes the address. */
      readonly status?: Status;
      /**
       * The router is not sure. If no later router takes the address, it is deferred with this status instead of
       * failed.
       */
      readonly otherwise?: Status;
    }
  | { readonly kind: "pass"; readonly why?: string }
  | { readonly kind: "discard"; readonly why: string }
  | { readonly kind: "fail" | "defer"; readonly status: Status; readonly why?: string };

/** One address on its way through the router chain. */
export interface RouteSubject {
  /** The address being routed; after a redirect, the new one. */
  readonly mailbox: Mailbox;
  /** The RCPT address that this one descends from. */
  readonly original: Mailbox;
}

export interface RouteContext {
  /** null is <>. */
  readonly sender: Mailbox | null;
  readonly client: Client;
  /** Canonical keys that the preconditions of this router found, as in {@link Account}. */
  readonly account: Account;
  /**
   * True at RCPT and in a dry run: decide as in earnest, but write nothing. The decision made at RCPT goes with the
   * message to its first attempt. The router is asked again, with false, only after a wait, a reload or a restart.
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
  /** The RCPT address that this one descends from, shown in Envelope-to. */
  readonly original: Mailbox;
  /** Further RCPT addresses that lead to the same mailbox or Maildir. Envelope-to shows them too. */
  readonly alsoFor?: readonly Mailbox[];
  readonly account: Account;
  readonly notify?: string;
  readonly orcpt?: string;
  /** The places of this recipient's copies. Only a transport that stands in for one on hold gets them. */
  readonly copies?: readonly string[];
}

export interface Batch {
  readonly envelope: Envelope;
  readonly body: Body;
  readonly recipients: readonly Recipient[];
  /** Hosts that the router gave. Absent: the transport uses its own. */
  readonly hosts?: readonly Host[];
  /** The first attempt of a message that has not waited in the queue. */
  readonly fresh: boolean;
  /**
   * An earlier attempt was cut short when the relay ended, or had no answer from a file system. So it may have
   * delivered copies that the relay does not know of.
   */
  readonly interrupted?: true;
  /** Ignore hints: the postmaster ordered this attempt, or it is the last one. */
  readonly force: boolean;
}

export type Outcome =
  | {
      readonly kind: "delivered" | "failed";
      readonly status: Status;
      /** The host or socket that replied, or the file that was written. */
      readonly place?: Place;
      /** Delivered to a host that supports DSN and will report success itself (RFC 3461 5.2.1). */
      readonly dsnPassedOn?: true;
      /** The TLS version and cipher of the delivery, for the log. */
      readonly tls?: string;
      /** Delivered into the mailbox itself, although a server did it. */
      readonly final?: true;
    }
  | {
      readonly kind: "deferred";
      readonly status: Status;
      readonly place?: Place;
      readonly scope: "recipient" | "message" | "host";
      /** The postmaster must look: the delivery is frozen and reported instead of retried. */
      readonly freeze?: boolean;
      readonly error?: RetryError;
      /** The earliest useful time of the next attempt (ms since the epoch): the hint's, or the delivery's turn. */
      readonly notBefore?: number;
      /** The hint that the delivery waits for. When the hint ends, the delivery is due before its time. */
      readonly waitsFor?: Awaited;
      /** The domain that the postmaster holds. Only the queue sets it, never a transport. */
      readonly heldDomain?: string;
      /** The transport on hold. Only the queue sets it, never a transport. */
      readonly heldTransport?: string;
      /**
       * The delivery does not fail before this time (ms since the epoch), whatever the retry rules say, and is
       * attempted by then.
       */
      readonly notFinalBefore?: number;
      /** Nothing was tried, because the delivery's turn comes only at `notBefore`. This does not count as a failure. */
      readonly untried?: true;
      /**
       * Only for a message that is still coming in (`body.unread`): the host has certainly not taken it. This says
       * nothing about the complete message, which is delivered in the ordinary way at once.
       */
      readonly notPassed?: true;
    };

export interface TlsRule {
  /**
   * A value of the option `tls`, or the policy that the destination publishes. "barred": nothing is sent to the host
   * now.
   */
  readonly rule: "none" | "opportunistic" | "required" | "verify" | "dane" | "mta-sts" | "barred";
  /** "DANE: 2 TLSA records, secure". */
  readonly why: string;
}

/** The result of connecting to one address of a host, as far as mail would begin. */
export type Reached =
  | {
      readonly kind: "reached";
      readonly place: Place;
      /** The TLS version and cipher, and what the certificate was worth. Absent without TLS. */
      readonly tls?: string;
    }
  | {
      readonly kind: "failed";
      /** Absent if the host has no address that may be connected to. */
      readonly place?: Place;
      readonly status: Status;
      readonly error?: RetryError;
      /** This machine has no route to addresses of this kind. */
      readonly noRoute?: true;
    };

export interface Transport {
  /**
   * A "remote" delivery waits until the local copies of the message are done. Bounces report only remote deliveries.
   */
  readonly locality: "local" | "remote";
  /**
   * The transport is local but speaks to a server, which may answer late although it has the message. The relay waits
   * for the answer as long as the transport's own timeouts allow. Meanwhile the mail itself goes on.
   */
  readonly ownDeadlines?: true;
  /** Recipients with the same key go in one batch. */
  batchKey(recipient: Recipient): string;
  deliver(batch: Batch, signal: AbortSignal): Promise<ReadonlyMap<RecipientId, Outcome>>;
  /** The path of this recipient's copy, for a dry run; undefined for a copy without a path. */
  destination?(recipient: Recipient): string | undefined;
  /**
   * The Maildir of this recipient's copy. One copy there is enough for all recipients that lead to it. Undefined: copies
   * are told apart by the recipient's address, at the hosts of the transport.
   */
  place?(recipient: Recipient): string | undefined;
  /**
   * The directory in which the transport creates its own. It is created for the relay's user while the relay is still
   * root.
   */
  readonly directory?: WrittenDirectory;
  /** The transport's own hosts, for a dry run. Absent when it has none and needs none from a router either. */
  readonly hosts?: readonly Host[];
  /**
   * Connects to each address of a host as for a delivery, with TLS and the login, and ends the connection before MAIL.
   * For `relayctl doctor`.
   */
  reach?(host: Host, signal: AbortSignal): Promise<readonly Reached[]>;
  /** The rule for TLS to a host, for a dry run. */
  tlsRule?(host: Host): Promise<TlsRule>;
  close?(): Promise<void>;
}

export interface HostFailure {
  /** The host's name, for the retry rules. */
  readonly host: string;
  /** The domain of the recipients. */
  readonly domain: string;
  readonly status: Status;
  readonly error?: RetryError;
}

/** The message that was under way when a host ended the connection. */
export interface UnderWay {
  readonly message: MessageId;
  /** The host had not replied to this message at all. */
  readonly isSilent: boolean;
}

/** Records of hosts that could not be used: src/retry/hosts/. A key stands for a host, or for a recipient at a host. */
export interface Hints {
  /** True when no host has a hint. */
  readonly isEmpty: boolean;
  /** The hint, while the host must not be tried. A host that is only suspected may be tried, except with `message`. */
  blocked(key: string, message?: MessageId): HostHint | undefined;
  /**
   * The host failed the last time, and not only for one message. When it is tried again, one delivery is enough to find
   * out.
   */
  isInDoubt(key: string): boolean;
  /** Records that the host failed. Returns the time of the next try, in ms since the epoch. */
  failed(key: string, failure: HostFailure): number;
  /** Records that a host that can be reached ended the connection during a message. */
  closedUnder(key: string, failure: HostFailure, under: UnderWay): void;
  /**
   * Records that the host deferred a recipient; `key` is the recipient's. Returns the time at which mail for this
   * recipient, in whatever message, is tried again. Undefined when the reply concerns only this message.
   */
  recipientFailed(key: string, failure: HostFailure): number | undefined;
  /** Records that the host can be used. Wakes at most `room` of the deliveries that wait for it. */
  succeeded(key: string, room?: number): void;
}

/** All that a driver may use from outside: values and interfaces, so that a test can replace each by a plain object. */
export interface Services {
  readonly clock: Clock;
  readonly log: Log;
  readonly resolver: Resolver;
  readonly lists: Lists;
  readonly hints: Hints;
  /** Absent in a dry run, which has no other deliveries. */
  readonly room?: Room;
  readonly mtaSts: StsPolicies;
  /** Absent in a dry run, which counts no sessions. */
  readonly tlsSessions?: TlsSessions;
  /** Shared by all transports that write Maildirs; absent in a dry run. */
  readonly maildirDisks?: MaildirDisks;
  /** The relay's own name: EHLO, Received, Maildir file names. */
  readonly hostname: string;
  /**
   * Addresses that the relay listens on or that this machine has. A host that resolves to one of them is the relay
   * itself.
   */
  readonly ownAddresses: ReadonlySet<string>;
  /** Directory of the configuration file: relative paths start here. */
  readonly configDirectory: string;
}

/** A precondition of the chain that a router may require. */
type ChainOption = "domains" | "local_parts" | "sender_domains" | "sender_local_parts";

/**
 * One kind of router or transport. `options` are its own; the preconditions that every router has (domains,
 * local_parts, sender_domains, sender_local_parts, relayed, restored, unseen, more) belong to the chain. A router that accepts
 * declares `transport: transportName(...)` itself, because its Decision names the transport.
 *
 * `create` is a method on purpose: a `Driver<SmtpOptions, …>` then fits a table of `Driver<unknown, …>`.
 * That is sound because `create` is only ever handed what `options.read` of the same driver gave.
 */
export interface Driver<O, Instance> {
  readonly name: string;
  readonly options: Options<O>;
  /** Routers: values of generic options when the file does not set them. */
  readonly defaults?: {
    readonly unseen?: boolean;
    readonly relayed?: boolean;
    readonly restored?: boolean;
  };
  /** Routers: preconditions that this driver requires. */
  readonly requires?: readonly ChainOption[];
  create(options: O, services: Services): Instance;
}

/** The result of checking a router's files, for `relayctl check`. */
export interface RouterSurvey {
  /** Valid but probably mistaken entries, a line each: `FILE:LINE: what is wrong`. */
  readonly doubts: readonly string[];
  /** Addresses that the router decides about: `name` with or without a domain, and `at`, its place in the file. */
  readonly addresses: readonly { readonly name: string; readonly at: string }[];
}

export interface RouterDriver<O = unknown> extends Driver<O, Router> {
  /** Checks the files that the options name. `spoolDirectory` is where the relay keeps its belief about lists. */
  survey?(options: O, spoolDirectory: string): Promise<RouterSurvey>;
}

export type TransportDriver<O = unknown> = Driver<O, Transport>;
