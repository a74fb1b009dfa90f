// The relay's questions to the DNS, and the four ways in which a question can end. Everything that is not a clear
// answer is "temporary": a missing answer must never turn into "no such domain".
//
// Doors: addresses.ts, create-resolver.ts, lookup.ts, target-addresses.ts.

export interface MxRecord {
  readonly exchange: string;
  readonly preference: number;
}

/** RFC 6698 2.1. The numbers may be invalid: the user of the record checks them. */
export interface TlsaRecord {
  readonly usage: number;
  readonly selector: number;
  readonly matching: number;
  readonly association: Buffer;
}

interface Vouched {
  /** DNSSEC confirms the answer, including every CNAME on the way. Absent unless [dns] has `dnssec = true`. */
  readonly secure?: true;
}

interface Found<T> extends Vouched {
  readonly kind: "found";
  readonly records: readonly T[];
  /** The name at the end of the CNAMEs, if the name is an alias. */
  readonly canonical?: string;
}

export type Answer<T> =
  | Found<T>
  /** NXDOMAIN. */
  | ({ readonly kind: "no-such-name" } & Vouched)
  /** The name exists, but has no record of this type. */
  | ({ readonly kind: "no-data" } & Vouched)
  /** SERVFAIL, REFUSED, a timeout or an unreadable answer: nothing is known. `error` is for the log. */
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
  /** The names of an address. `name` is the one of its PTR records: "1.2.0.192.in-addr.arpa". */
  ptr(name: string): Promise<Answer<string>>;
  close(): Promise<void>;
}
