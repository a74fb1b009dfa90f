// Access tokens for APIs of Google: from the key file of a service account, or from the credentials that the machine
// has (Application Default Credentials).
//
// Invariants: the key never leaves this process. A signed request for a token goes to the token_uri of the key file, by
// HTTPS or to this machine, and is good for nothing else.

import { createPrivateKey } from "node:crypto";
import { cannotRead } from "../base/file-errors.ts";
import { errorCode } from "../base/error-code.ts";
import { given } from "../base/given.ts";
import { readNamedFile } from "../base/named-file.ts";
import { isTable } from "../base/table.ts";
import type { Asker } from "./advice.ts";
import { safeUrl } from "./exchange.ts";
import { GoogleError } from "./google-error.ts";
import { TryLater } from "./patience.ts";
import { shown } from "./refusal.ts";

export interface GoogleAccess {
  /** The key of a service account. Absent: the credentials that the machine has. */
  readonly keyFile?: string | undefined;
  /** The user on whose behalf the service account asks (domain-wide delegation). */
  readonly subject?: string | undefined;
  readonly scopes: readonly string[];
}

export interface Token {
  readonly value: string;
  /** Seconds. */
  readonly lifetime: number;
}

/** Posts a form, and returns the JSON object of the answer. Throws GoogleError and TryLater. */
type Post = (url: URL, form: string) => Promise<Readonly<Record<string, unknown>>>;

export interface Credentials {
  readonly asker: Asker;
  readonly secrets: readonly string[];
  /** A new token. Throws GoogleError and TryLater. If the signal is aborted, throws its reason. */
  token(post: Post, signal: AbortSignal): Promise<Token>;
}

const TOKEN_URI = "https://oauth2.googleapis.com/token";
/** Seconds, if the answer does not say. */
const LIFETIME = 3600;

interface ServiceAccount {
  readonly email: string;
  readonly key: string;
  readonly clientId?: string;
  readonly tokenUri: URL;
}

/** Reads the key file. Throws GoogleError ("key") without usable credentials. */
export async function credentialsFor(access: GoogleAccess): Promise<Credentials> {
  const { keyFile, subject, scopes } = access;
  if (keyFile !== undefined) return ofServiceAccount(await readKeyFile(keyFile), access);
  const named = process.env["GOOGLE_APPLICATION_CREDENTIALS"] ?? "";
  if (named !== "") {
    const object = await readObject(named);
    if (object["type"] === "service_account") {
      return ofServiceAccount(serviceAccountIn(object, named), access);
    }
  }
  if (subject !== undefined) {
    throw new GoogleError(
      "key",
      "[accounts] subject needs a key_file with the key of a service account",
    );
  }
  return ofTheMachine(scopes);
}

async function readKeyFile(file: string): Promise<ServiceAccount> {
  return serviceAccountIn(await readObject(file), file);
}

async function readObject(file: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string;
  try {
    text = (await readNamedFile(file)).bytes.toString("utf8");
  } catch (error) {
    const isShut = ["EACCES", "EPERM"].includes(errorCode(error) ?? "");
    throw new GoogleError("key", `${cannotRead(file, error)}; ${isShut ? SHUT : WHERE}`);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isTable(value)) return value;
  } catch {
    // The text of the error would quote the file.
  }
  throw new GoogleError("key", `${file} is no key file in JSON; ${WHERE}`);
}

const SHUT = "the user that the relay runs as must be able to read it (chgrp, chmod g+r)";
const WHERE =
  "make a key of type JSON in console.cloud.google.com, IAM & Admin > Service Accounts > Keys";

function serviceAccountIn(object: Readonly<Record<string, unknown>>, file: string): ServiceAccount {
  const wrong = (what: string) => new GoogleError("key", `${file}: ${what}; ${WHERE}`);
  const { type, client_email: email, private_key: key, client_id: clientId } = object;
  if (type !== "service_account") throw wrong('its type is not "service_account"');
  if (typeof email !== "string" || email === "") throw wrong("client_email is missing");
  if (typeof key !== "string" || key === "") throw wrong("private_key is missing");
  if (!isRsaKey(key)) throw wrong("private_key is no RSA key in PEM");
  const uri = object["token_uri"] ?? TOKEN_URI;
  const tokenUri = typeof uri === "string" ? safeUrl(uri) : undefined;
  if (tokenUri === undefined) throw wrong("token_uri is no https URL");
  return { email, key, tokenUri, ...(typeof clientId === "string" ? { clientId } : {}) };
}

function isRsaKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === "rsa";
  } catch {
    return false;
  }
}

/** RFC 7523: a signed statement for a token. */
function ofServiceAccount(own: ServiceAccount, { subject, scopes }: GoogleAccess): Credentials {
  const { email, key, clientId, tokenUri } = own;
  return {
    asker: { scopes, subject, account: shown(email, []), ...given({ clientId }) },
    secrets: [key],
    async token(post) {
      const { JWT } = await import("google-auth-library");
      const exchanged: { token?: Token; error?: unknown } = {};
      // The library knows only Google's own endpoint, tries again in its own way, and believes any answer.
      const fetchImplementation = async (_: unknown, init?: { body?: unknown }) => {
        try {
          exchanged.token = tokenIn(await post(tokenUri, String(init?.body)), tokenUri);
          return Response.json({ access_token: exchanged.token.value });
        } catch (error) {
          exchanged.error = error;
          throw error;
        }
      };
      const client = new JWT({
        email,
        key,
        scopes: [...scopes],
        ...given({ subject }),
        additionalClaims: { aud: tokenUri.href },
        useAuthRequestParameters: false,
        transporterOptions: { fetchImplementation, retry: false, retryConfig: { retry: 0 } },
      });
      await client.getAccessToken().catch((error: unknown) => {
        throw exchanged.error ?? error;
      });
      if (exchanged.token === undefined) throw new Error("the library has asked for no token");
      return exchanged.token;
    },
  };
}

function tokenIn(answer: Readonly<Record<string, unknown>>, { host }: URL): Token {
  const { access_token: value, expires_in: lifetime } = answer;
  if (typeof value !== "string" || !/^[!-~]{1,8192}$/.test(value)) {
    throw new GoogleError("unreachable", `${host}: an answer without an access token`);
  }
  const isTime = typeof lifetime === "number" && lifetime > 0;
  return { value, lifetime: isTime ? lifetime : LIFETIME };
}

/** Seconds after which the library is asked again. It keeps each token while it is good. */
const ASK_AGAIN = 60;
/** Milliseconds. */
const LONGEST = 20_000;

async function ofTheMachine(scopes: readonly string[]): Promise<Credentials> {
  const { GoogleAuth } = await import("google-auth-library");
  // Without the id of a project, which no call here needs, the library would run `gcloud` to learn it.
  const found = new GoogleAuth({ scopes: [...scopes], projectId: "none" });
  return {
    asker: { scopes },
    secrets: [],
    async token(_, signal) {
      let value: string | null | undefined;
      try {
        const late = AbortSignal.timeout(LONGEST);
        value = await orAborted(found.getAccessToken(), AbortSignal.any([signal, late]));
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        throw failureOfTheMachine(error);
      }
      return tokenIn({ access_token: value, expires_in: ASK_AGAIN }, new URL(TOKEN_URI));
    },
  };
}

function failureOfTheMachine(error: unknown): GoogleError | TryLater {
  const text = shown(error instanceof Error ? error.message : String(error), []);
  if (/could not load the default credentials/i.test(text)) {
    return new GoogleError(
      "key",
      "this machine has no credentials for Google: set key_file in [accounts]",
    );
  }
  return new TryLater(new GoogleError("unreachable", `the credentials of this machine: ${text}`));
}

/** Settles like `work`, but rejects as soon as the signal is aborted. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const stop = () => reject(signal.reason);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  work.then(resolve, reject);
  return promise;
}
