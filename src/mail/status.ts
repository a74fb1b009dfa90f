// One value for an SMTP reply: basic code, enhanced code and public text (RFC 5321 4.2, RFC 3463).
//
// Invariants: the class digit of the enhanced code is derived from the basic code, so the two cannot disagree. `text`
// may be read by a peer: the cause of a problem goes to the log, never in here.

export interface Status {
  readonly code: number;
  /** Complete enhanced code, "4.3.0". */
  readonly enhanced: string;
  readonly text: string;
  /** A remote server sent this reply; absent when the relay decided itself. */
  readonly remote?: true;
  /** The remote reply had no enhanced code, or one of another class: `enhanced` is ours. */
  readonly bare?: true;
  /** There was no answer, so the delivery may have succeeded nevertheless: the next attempt has to check. */
  readonly unsure?: true;
}

/** `status(451, "3.0", "try again later")` is 451 4.3.0. Throws on a code outside 200..599. */
export function status(code: number, subjectAndDetail: string, text: string): Status {
  const digit = Math.trunc(code / 100);
  if (digit !== 2 && digit !== 4 && digit !== 5) {
    throw new RangeError(`no status has the code ${code}`);
  }
  return { code, enhanced: `${digit}.${subjectAndDetail}`, text };
}

/** Whether a value of unknown origin is a status. */
export function isStatus(value: unknown): value is Status {
  if (typeof value !== "object" || value === null) return false;
  const { code, enhanced, text }: Partial<Record<keyof Status, unknown>> = value;
  return Number.isInteger(code) && typeof enhanced === "string" && typeof text === "string";
}

export function isTemporary(s: Status): boolean {
  return s.code >= 400 && s.code < 500;
}

/** "451 4.3.0 text": the status as it is sent in a reply. */
export function statusLine(s: Status): string {
  return `${s.code} ${s.enhanced} ${s.text}`;
}

/** The status for a log line or a report. A remote server's reply is shown as it came. */
export function saidLine(s: Status): string {
  return s.bare === true ? `${s.code} ${s.text}` : statusLine(s);
}

/** The reply for every error on our side: temporary, and without details for the peer. */
export const LOCAL_ERROR: Status = status(451, "3.0", "Temporary local problem, please try again");

/** The file system of a mailbox did not answer, so it is unknown whether the copy was made. */
export const NO_ANSWER: Status = {
  ...status(451, "3.0", "The file system of the mailbox does not answer"),
  unsure: true,
};
