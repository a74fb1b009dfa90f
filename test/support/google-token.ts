// Google's token endpoint and the metadata server of a machine at Google, as the fake has them. A signed request is
// checked as Google does it: signature, issuer, scopes, audience, subject, times.

import { createVerify, generateKeyPairSync, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { GoogleAnswer } from "./google-answer.ts";

const SCOPE = "https://www.googleapis.com/auth/";

export const ALL_SCOPES = [
  `${SCOPE}admin.directory.user.readonly`,
  `${SCOPE}admin.directory.group.readonly`,
  `${SCOPE}admin.directory.group.member.readonly`,
  `${SCOPE}gmail.readonly`,
];

interface Grant {
  readonly scopes: readonly string[];
  readonly subject: string | undefined;
}

const EMAIL = "unseen@fake-project.iam.gserviceaccount.com";
const HOUR = 3600;

const PAIR = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});

export class TokenOffice {
  /** Users who may be named as the subject: administrators, and whoever has mail. */
  subjects = ["admin@example.com"];
  /** Scopes that the Admin console has allowed for the service account. */
  scopes: readonly string[] = ALL_SCOPES;
  /** The service account has an admin role of its own. */
  hasRole = true;
  /** Whether the machine has a service account, for the metadata server. */
  isMachine = true;
  /** Tokens that were given, the latest last. */
  readonly given: string[] = [];
  /** The claims of the signed requests, the latest last. */
  readonly claims: Readonly<Record<string, unknown>>[] = [];
  readonly #grants = new Map<string, Grant>();
  readonly #base: () => string;

  constructor(base: () => string) {
    this.#base = base;
  }

  keyFile(changes: Readonly<Record<string, unknown>>): string {
    return JSON.stringify({
      type: "service_account",
      project_id: "fake-project",
      private_key_id: "0123456789abcdef",
      private_key: PAIR.privateKey,
      client_email: EMAIL,
      client_id: "123456789012345678901",
      token_uri: `${this.#base()}/token`,
      ...changes,
    });
  }

  get secrets(): readonly string[] {
    const lines = PAIR.privateKey.split("\n").filter((line) => line.length > 40);
    return [...lines, "BEGIN PRIVATE KEY", ...this.given];
  }

  /** Tokens that were given before are worth nothing from now on. */
  revoke(): void {
    this.#grants.clear();
  }

  granted(authorization: string | undefined): Grant | undefined {
    const [, token = ""] = /^Bearer (.+)$/.exec(authorization ?? "") ?? [];
    return this.#grants.get(token);
  }

  /** Undefined for a request to another endpoint. */
  answer(request: IncomingMessage, url: URL, posted: string): GoogleAnswer | undefined {
    if (url.pathname === "/token" && request.method === "POST") return this.#exchange(posted);
    return url.pathname.startsWith("/computeMetadata/") ? this.#metadata(request, url) : undefined;
  }

  #exchange(posted: string): GoogleAnswer {
    const form = readForm(posted);
    if (form["grant_type"] !== "urn:ietf:params:oauth:grant-type:jwt-bearer") {
      return refused(400, "unsupported_grant_type", "Invalid grant_type");
    }
    const claims = this.#verified(form["assertion"] ?? "");
    if (typeof claims === "string") return refused(400, "invalid_grant", claims);
    this.claims.push(claims);
    const scopes = textOf(claims["scope"])?.split(" ") ?? [];
    const subject = textOf(claims["sub"]);
    const isDelegated = scopes.every((scope) => this.scopes.includes(scope));
    if (subject !== undefined && !isDelegated) {
      const why =
        "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.";
      return refused(401, "unauthorized_client", why);
    }
    if (subject !== undefined && !this.subjects.includes(subject)) {
      return refused(400, "invalid_grant", "Invalid email or User ID");
    }
    return this.#grant({ scopes, subject });
  }

  #verified(assertion: string): Readonly<Record<string, unknown>> | string {
    const [head = "", body = "", signature = ""] = assertion.split(".");
    const { alg } = decoded(head);
    const verify = createVerify("RSA-SHA256").update(`${head}.${body}`);
    const isSigned = verify.verify(PAIR.publicKey, Buffer.from(signature, "base64url"));
    if (alg !== "RS256" || !isSigned) return "Invalid JWT Signature.";
    const claims = decoded(body);
    const { iss, aud, iat, exp } = claims;
    const now = Date.now() / 1000;
    if (iss !== EMAIL) return "Invalid grant: account not found";
    if (aud !== `${this.#base()}/token`) return "Invalid JWT: Failed audience check.";
    if (typeof iat !== "number" || typeof exp !== "number") return "Invalid JWT: no times";
    if (exp <= now || iat > now + 60 || exp - iat > HOUR) {
      return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.";
    }
    return claims;
  }

  #grant(grant: Grant): GoogleAnswer {
    const token = `ya29.${randomBytes(24).toString("base64url")}`;
    this.given.push(token);
    this.#grants.set(token, grant);
    return {
      status: 200,
      body: { access_token: token, expires_in: HOUR - 1, token_type: "Bearer" },
    };
  }

  /** https://cloud.google.com/compute/docs/metadata: the header is required both ways. */
  #metadata(request: IncomingMessage, url: URL): GoogleAnswer {
    const headers = { "metadata-flavor": "Google" };
    if (request.headers["metadata-flavor"] !== "Google") {
      return { status: 403, body: "Missing Metadata-Flavor:Google header.", headers };
    }
    const account = "/computeMetadata/v1/instance/service-accounts/default";
    const path = url.pathname.replace(/\/$/, "");
    if (path === "/computeMetadata/v1/instance") return { status: 200, body: "1", headers };
    if (path === "/computeMetadata/v1/universe/universe-domain") {
      return { status: 404, body: "not found", headers };
    }
    if (!this.isMachine || !path.startsWith(account)) {
      return { status: 404, body: "not found", headers };
    }
    if (path === `${account}/email`) return { status: 200, body: EMAIL, headers };
    if (path !== `${account}/token`) return { status: 404, body: "not found", headers };
    const scopes = (url.searchParams.get("scopes") ?? ALL_SCOPES.join(",")).split(/[ ,]/);
    return { ...this.#grant({ scopes, subject: undefined }), headers };
  }
}

/** Libraries send the form, or the same as JSON. */
function readForm(posted: string): Readonly<Record<string, string>> {
  try {
    return JSON.parse(posted);
  } catch {
    return Object.fromEntries(new URLSearchParams(posted));
  }
}

function textOf(claim: unknown): string | undefined {
  return typeof claim === "string" ? claim : undefined;
}

function decoded(part: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString());
  } catch {
    return {};
  }
}

function refused(status: number, error: string, description: string): GoogleAnswer {
  return { status, body: { error, error_description: description } };
}
