// A request to the fake Google with a valid token, and its answer.

export interface GoogleCall {
  readonly method: string;
  readonly url: URL;
  /** The user in whose name the token was given; undefined: the service account's own. */
  readonly subject: string | undefined;
  readonly scopes: readonly string[];
}

export interface GoogleAnswer {
  readonly status: number;
  /** An object becomes JSON. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error as Google's APIs write it. */
export function errorAnswer(status: number, reason: string, message: string): GoogleAnswer {
  const error = { code: status, message, errors: [{ message, domain: "global", reason }] };
  return { status, body: { error } };
}
