// One value for an SMTP reply: basic code, enhanced code and public text (RFC 5321 4.2, RFC 3463).
// The class digit of the enhanced code is derived from the basic code, so the two cannot disagree.
// `text` is what a peer may read; the cause of a trouble goes to the log, never in here.

export interface Status {
  readonly code: number;
  /** Complete enhanced code, "4.3.0". */
  readonly enhanced: string;
  readonly text: string;
  /** A remote server replied this; absent when the verdict is our own. */
  readonly remote?: true;
  /** It replied without an enhanced code, or with one of another class: `enhanced` is ours. */
  readonly bare?: true;
  /** There was no answer, so that it may have been done all the same: the next attempt has to look. */
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

export function isTemporary(s: Status): boolean {
  return s.code >= 400 && s.code < 500;
}

/** "451 4.3.0 text": how a status is sent as a reply. */
export function statusLine(s: Status): string {
  return `${s.code} ${s.enhanced} ${s.text}`;
}

/** How a status stands in a log line or a report: a remote server's reply as it came. */
export function saidLine(s: Status): string {
  return s.bare === true ? `${s.code} ${s.text}` : statusLine(s);
}

/** The reply for everything that went wrong on our side: temporary, and tells a peer nothing. */
export const LOCAL_ERROR: Status = status(451, "3.0", "Temporary local problem, please try again");

/** The file system of a mailbox did not answer: whether the copy was made is not known yet. */
export const NO_ANSWER: Status = {
  ...status(451, "3.0", "The file system of the mailbox does not answer"),
  unsure: true,
};
