// The errors of Google's APIs, for the postmaster: one line with Google's own text and the setting to change.

import { given } from "../base/given.ts";

/**
 * `key`: the credentials on this machine cannot be used. `refused`: Google says no. `unreachable`: no usable answer in
 * time.
 */
type GoogleErrorKind = "key" | "refused" | "unreachable";

interface GoogleErrorDetails {
  /** The HTTP status. */
  readonly status?: number | undefined;
  /** Google's word for it: "accessNotConfigured", "invalid_grant". */
  readonly reason?: string | undefined;
}

export class GoogleError extends Error {
  readonly kind: GoogleErrorKind;
  readonly status?: number;
  readonly reason?: string;

  constructor(kind: GoogleErrorKind, message: string, details: GoogleErrorDetails = {}) {
    super(message);
    this.name = "GoogleError";
    this.kind = kind;
    Object.assign(this, given(details));
  }
}
