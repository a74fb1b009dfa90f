// The failures of TLS, in the words of RFC 8460 4.3.

export const RESULT_TYPES = [
  "starttls-not-supported",
  "certificate-host-mismatch",
  "certificate-expired",
  "certificate-not-trusted",
  "validation-failure",
  "tlsa-invalid",
  "dnssec-invalid",
  "sts-policy-fetch-error",
  "sts-policy-invalid",
  "sts-webpki-invalid",
] as const;

export type ResultType = (typeof RESULT_TYPES)[number];

export interface TlsFailure {
  readonly result: ResultType;
  /** The words of the other side or of OpenSSL, for people. */
  readonly reason?: string;
}

/** The result for each error code of Node and OpenSSL. */
const BY_CODE: Readonly<Record<string, ResultType>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: "certificate-host-mismatch",
  HOSTNAME_MISMATCH: "certificate-host-mismatch",
  CERT_HAS_EXPIRED: "certificate-expired",
  CERT_NOT_YET_VALID: "certificate-not-trusted",
  CERT_REVOKED: "certificate-not-trusted",
  CERT_REJECTED: "certificate-not-trusted",
  CERT_UNTRUSTED: "certificate-not-trusted",
  CERT_CHAIN_TOO_LONG: "certificate-not-trusted",
  CERT_SIGNATURE_FAILURE: "certificate-not-trusted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate-not-trusted",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate-not-trusted",
  INVALID_CA: "certificate-not-trusted",
  INVALID_PURPOSE: "certificate-not-trusted",
  UNABLE_TO_GET_ISSUER_CERT: "certificate-not-trusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate-not-trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate-not-trusted",
};

/** The result for an error code; undefined if the code does not speak of the certificate, or is unknown. */
export function certificateResult(code: string): ResultType | undefined {
  return Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined;
}
