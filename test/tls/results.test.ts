// What an error of a TLS handshake is in a report (RFC 8460 4.3).

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { certificateResult, RESULT_TYPES } from "../../src/tls/results.ts";

describe("certificateResult", () => {
  const table: readonly (readonly [code: string, result: string | undefined])[] = [
    ["ERR_TLS_CERT_ALTNAME_INVALID", "certificate-host-mismatch"],
    ["HOSTNAME_MISMATCH", "certificate-host-mismatch"],
    ["CERT_HAS_EXPIRED", "certificate-expired"],
    ["CERT_NOT_YET_VALID", "certificate-not-trusted"],
    ["CERT_REVOKED", "certificate-not-trusted"],
    ["CERT_REJECTED", "certificate-not-trusted"],
    ["CERT_UNTRUSTED", "certificate-not-trusted"],
    ["CERT_CHAIN_TOO_LONG", "certificate-not-trusted"],
    ["CERT_SIGNATURE_FAILURE", "certificate-not-trusted"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "certificate-not-trusted"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "certificate-not-trusted"],
    ["INVALID_CA", "certificate-not-trusted"],
    ["INVALID_PURPOSE", "certificate-not-trusted"],
    ["UNABLE_TO_GET_ISSUER_CERT", "certificate-not-trusted"],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "certificate-not-trusted"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "certificate-not-trusted"],
    ["ECONNRESET", undefined],
    ["ERR_SSL_WRONG_VERSION_NUMBER", undefined],
    ["cert_has_expired", undefined],
    ["CERT_HAS_EXPIRED ", undefined],
    ["", undefined],
    ["constructor", undefined],
    ["toString", undefined],
    ["__proto__", undefined],
  ];
  for (const [code, result] of table) {
    it(`of ${JSON.stringify(code)} is ${result ?? "nothing that a report knows"}`, () => {
      assert.equal(certificateResult(code), result);
      assert.ok(result === undefined || RESULT_TYPES.some((type) => type === result));
    });
  }
});

describe("the words of a report", () => {
  it("are those of RFC 8460, and no other", () => {
    assert.deepEqual(RESULT_TYPES.toSorted(), [
      "certificate-expired",
      "certificate-host-mismatch",
      "certificate-not-trusted",
      "dnssec-invalid",
      "starttls-not-supported",
      "sts-policy-fetch-error",
      "sts-policy-invalid",
      "sts-webpki-invalid",
      "tlsa-invalid",
      "validation-failure",
    ]);
  });
});
