// Every event that the relay logs, with its fields. Closed: an event that is not here cannot be logged,
// so a postmaster's filters and the metrics can rely on this page. Ids come first.

/** What became of one delivery of a message. */
interface Attempt {
  id: string;
  recipient: string;
  /** The address that was written to, where a redirect made another of it. */
  original?: string;
  router: string;
  transport: string;
  /** A copy. */
  unseen?: true;
  host?: string;
  status: string;
}

export interface Events {
  "relay.started": { listeners: readonly string[]; queued: number };
  /** The configuration was read again and is in force; `kept` are options that need a restart to change. */
  "relay.reloaded": { listeners: readonly string[]; kept: readonly string[] };
  /** It was read again, and the one in force stays. */
  "relay.reload_refused": { problems: readonly string[] };
  "relay.stopping": { reason: string };
  "relay.stopped": Record<string, never>;
  "relay.warning": { what: string };
  /** Something of ours went wrong; the mail in question is deferred. */
  "relay.error": { id?: string; where: string; error: string };

  "session.refused": { client: string; reply: string; why: string };
  "session.ended": { client: string; why: string };
  "session.tls_failed": { client: string; error: string };
  /** Parameters of a command whose values cannot be decoded: the mail goes on without them. */
  "session.parameter_dropped": { client: string; command: string; parameters: readonly string[] };

  "message.accepted": {
    id: string;
    sender: string;
    recipients: readonly string[];
    client: string;
    helo: string;
    /** Protocol and cipher; absent in clear. */
    tls?: string;
    /** SHA-256 of the client's certificate. */
    client_certificate?: string;
    /** What the gate decided by, for the recipients. */
    rule: string;
    /** "spf=pass dkim=none dmarc=fail"; absent when nobody asked. */
    authentication?: string;
    size: number;
  };
  "message.refused": {
    client: string;
    sender: string;
    recipients?: readonly string[];
    reply: string;
    why: string;
  };
  "recipient.refused": {
    client: string;
    sender: string;
    recipient: string;
    reply: string;
    why: string;
  };

  "delivery.done": Attempt & {
    /** Protocol and cipher, and what the certificate was worth; absent in clear. */
    tls?: string;
  };
  "delivery.deferred": Attempt & { next_attempt: string };
  "delivery.failed": Attempt;
  "delivery.frozen": Omit<Attempt, "host">;
  /** A sender of ours who is in no list of accounts: the copy is in the folder of such senders. */
  "copy.unlisted": { id: string; sender: string; host?: string };
  /** Mail of a sender of ours has left, and no router has asked for a copy of it. */
  "copy.missing": { id: string; sender: string; recipients: readonly string[] };
  /**
   * RCPT has accepted it, and no router takes it any more: an account, or a router, is gone. If that is a mistake, it
   * is to be mended before `until`; then it fails.
   */
  "recipient.unrouted": { id: string; recipient: string; original?: string; until: string };
  "recipient.discarded": { id: string; recipient: string; why: string };
  "message.completed": { id: string; seconds: number };
  /** `report` is the id of the message that tells the sender. */
  "message.bounced": {
    id: string;
    report: string;
    sender: string;
    recipients: readonly string[];
  };
  /** A warning, or a report on success that the sender asked for. */
  "message.reported": {
    id: string;
    report: string;
    sender: string;
    kind: "delayed" | "relayed" | "delivered";
    recipients: readonly string[];
  };
  "message.frozen": { id: string; why: string };
  /** No sender is told of these recipients: they are on the postmaster's list. */
  "message.listed": {
    id: string;
    sender: string;
    recipients: readonly string[];
    why: "unvouched" | "alias-member";
  };
  /** It was frozen for `frozen_after`, and nobody may be told: it has been removed, and is on the postmaster's list. */
  "message.expired": { id: string; sender: string; recipients: readonly string[] };
  /** What has failed waits: the DNS does not say whether anybody vouches for the sender. */
  "bounce.put_off": { id: string; sender: string; next_attempt: string };

  /** The postmaster changed messages in the queue. */
  "queue.changed": {
    action: "retry" | "freeze" | "thaw" | "bounce" | "remove";
    ids: readonly string[];
  };

  /** A key of [relay] dkim could not sign this mail of the relay's own: it goes without that signature. */
  "message.unsigned": { id: string; from: string; domain: string; selector: string; error: string };

  /** The daily list of mail that no sender was told of is on its way, as the message `id`. */
  "postmaster.list_sent": { id: string; to: string; entries: number };

  /** From here on mail for it waits in the queue; and goes on. */
  "domain.held": { domain: string };
  "domain.released": { domain: string; recipients: number };

  /** Something is set up wrongly, by a peer's reply, or is implausible: the postmaster has to act. */
  alarm: { id?: string; what: string };

  /** A domain's MTA-STS policy, new or once more. */
  "mta_sts.fetched": {
    domain: string;
    mode: "enforce" | "testing" | "none";
    mx: readonly string[];
    max_age_s: number;
  };
  /** With `kept` an older policy holds; without, mail to the domain goes as if there was none. */
  "mta_sts.failed": { domain: string; error: string; kept: boolean };
  /** Mail went to the host, although it is not what the domain's policy under test asks for. */
  "mta_sts.would_fail": { domain: string; host: string; error: string };

  /** A domain has its report on TLS: by HTTPS, or by the message `id`, which is on its way. */
  "tls_report.sent": { id?: string; domain: string; to: string; report_id: string };
  /** Without `next_attempt` it will not have it. */
  "tls_report.failed": { domain: string; to: string; error: string; next_attempt?: string };

  /** A call on the Maildir has not returned for two seconds: its copies wait. */
  "maildir.hung": { directory: string };
  /** It has returned; the copies go on. */
  "maildir.answered": { directory: string; seconds: number };

  "lookup.failed": { lookup: string; error: string };
  /** A list that had lost too much, with an alarm, is now in force as it is. */
  "list.believed": { list: string; entries: number };
  "hosts.refreshed": { list: string; entries: number };
  "hosts.failed": { list: string; error: string; kept: number };
  "spool.recovered": { messages: number; in_flight: number };
  "spool.corrupt": { id: string; error: string; kept_in: string };
  /** The database was damaged: what could be read of it is in a new one, the damaged one is kept. */
  "spool.salvaged": { messages: number; lost: number; error: string; kept_in: string };
  "spool.failed": { id?: string; error: string };
  /** Below spool_reserve or spool_reserve_inodes: no new mail is taken until it is above them again. */
  "spool.low": { free_bytes: number; free_inodes: number };
  "spool.enough": { free_bytes: number; free_inodes: number };
}

export type EventName = keyof Events;
