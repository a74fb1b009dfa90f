// What the relay wants to know of the DNS, and the four ways a question can end. Everything that is not a
// clear answer is "temporary": an answer that we did not get must never turn into "no such domain".
//
// Doors: addresses.ts, create-resolver.ts, lookup.ts, target-addresses.ts.

export interface MxRecord {
  readonly exchange: string;
  readonly preference: number;
}

/** RFC 6698 2.1. What the numbers mean, and whether they mean anything, is for whoever uses it. */
export interface TlsaRecord {
  readonly usage: number;
  readonly selector: number;
  readonly matching: number;
  readonly association: Buffer;
}

interface Vouched {
  /** DNSSEC vouches for it, for every CNAME on the way too. Never there unless [dns] says `dnssec = true`. */
  readonly secure?: true;
}

interface Found<T> extends Vouched {
  readonly kind: "found";
  readonly records: readonly T[];
  /** Where CNAMEs lead to, if the name is an alias. */
  readonly canonical?: string;
}

export type Answer<T> =
  | Found<T>
  /** NXDOMAIN. */
  | ({ readonly kind: "no-such-name" } & Vouched)
  /** The name exists, and has no record of this type. */
  | ({ readonly kind: "no-data" } & Vouched)
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
  /** `name` with port and protocol: "_25._tcp.mx.example.com". */
  tlsa(name: string): Promise<Answer<TlsaRecord>>;
  close(): Promise<void>;
}
