// What the relay wants to know of the DNS, and the four ways a question can end. Everything that is not a
// clear answer is "temporary": an answer that we did not get must never turn into "no such domain".

export interface MxRecord {
  readonly exchange: string;
  readonly preference: number;
}

export type Answer<T> =
  | { readonly kind: "found"; readonly records: readonly T[] }
  /** NXDOMAIN. */
  | { readonly kind: "no-such-name" }
  /** The name exists, and has no record of this type. */
  | { readonly kind: "no-data" }
  /** SERVFAIL, REFUSED, timeout, rubbish: nothing is known. `error` is for the log. */
  | { readonly kind: "temporary"; readonly error: string };

export interface Resolver {
  mx(domain: string): Promise<Answer<MxRecord>>;
  /** A records, as text. */
  a(name: string): Promise<Answer<string>>;
  /** AAAA records, as text. */
  aaaa(name: string): Promise<Answer<string>>;
  /** TXT records; the strings of one record joined. */
  txt(name: string): Promise<Answer<string>>;
  close(): Promise<void>;
}
