// auth_http: a hook of the postmaster's decides about each login and names the server. It is asked as nginx asks it
// (https://nginx.org/en/docs/mail/ngx_mail_auth_http_module.html).
//
// Invariants: the hook has 30 seconds, and the body of its answer means nothing. User and password go to it with space,
// "%" and control characters as %XX, so they cannot add a header.

import {
  Agent as ClearAgent,
  type ClientRequest,
  type IncomingHttpHeaders,
  request as clearRequest,
} from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import type { Clock } from "../../base/clock.ts";
import { errorCode } from "../../base/error-code.ts";
import { given } from "../../base/given.ts";
import { parseDomain } from "../../mail/address.ts";
import type { Host } from "../../mail/host.ts";
import { isIP } from "node:net";
import type { Credentials } from "./wire/sasl.ts";

const PATIENCE = 30_000;
/** Octets of a body that are read. */
const BODY_MAX = 4096;
/** Seconds that a hook may let a client wait. */
const WAIT_MAX = 300;

export interface HookQuestion extends Credentials {
  readonly protocol: "imap" | "pop3" | "smtp";
  readonly client: string;
  /** 1 for the first login of the connection. */
  readonly attempt: number;
  readonly tls?: { readonly version: string; readonly cipher: string } | undefined;
  readonly helo?: string | undefined;
}

export type HookAnswer =
  | {
      readonly kind: "ok";
      /** Absent: the configured server. */
      readonly host?: Host;
      readonly credentials: Credentials;
    }
  | {
      readonly kind: "refused";
      readonly status: string;
      /** For SMTP: "535 5.7.8". */
      readonly code: string;
      /** Seconds until the client gets the answer and may try again; 0: it is answered at once and disconnected. */
      readonly wait: number;
    }
  /** The hook wants to be asked again in so many seconds. */
  | { readonly kind: "wait"; readonly wait: number }
  | { readonly kind: "failed"; readonly why: string };

/** Connections to hooks are used again: a login then costs half as much. */
const agents = {
  "http:": new ClearAgent({ keepAlive: true }),
  "https:": new TlsAgent({ keepAlive: true }),
};

export async function askHook(url: URL, question: HookQuestion, clock: Clock): Promise<HookAnswer> {
  try {
    return judge(await answerOf(url, question, clock), question);
  } catch (error) {
    return { kind: "failed", why: error instanceof Error ? error.message : String(error) };
  }
}

async function answerOf(
  url: URL,
  question: HookQuestion,
  clock: Clock,
): Promise<IncomingHttpHeaders> {
  for (;;) {
    const asked = asking(url, question, clock);
    try {
      return await asked.headers;
    } catch (error) {
      // The hook may have closed a connection that was used before, just when it was used again.
      if (!asked.request.reusedSocket || errorCode(error) !== "ECONNRESET") throw error;
    }
  }
}

function asking(
  url: URL,
  question: HookQuestion,
  clock: Clock,
): { readonly request: ClientRequest; readonly headers: Promise<IncomingHttpHeaders> } {
  const isTls = url.protocol === "https:";
  const agent = isTls ? agents["https:"] : agents["http:"];
  const headers = questionHeaders(question);
  const request = (isTls ? tlsRequest : clearRequest)(url, { agent, headers });
  const answered = new Promise<IncomingHttpHeaders>((resolve, reject) => {
    const timer = clock.after(PATIENCE, () =>
      request.destroy(new Error(`no answer within ${PATIENCE / 1000} s`)),
    );
    request.on("response", (response) => {
      timer.cancel();
      resolve(response.headers);
      // A short body is read, so that the connection can be used again.
      let octets = 0;
      response.on("data", (chunk: Buffer) => {
        octets += chunk.length;
        if (octets > BODY_MAX) response.destroy();
      });
      response.on("error", () => undefined);
    });
    request.on("error", (error) => {
      timer.cancel();
      reject(error);
    });
  });
  request.end();
  return { request, headers: answered };
}

function questionHeaders(question: HookQuestion): Record<string, string> {
  const { protocol, client, attempt, tls, helo, user, password } = question;
  return given({
    "Auth-Method": "plain",
    "Auth-User": escaped(user),
    "Auth-Pass": escaped(password),
    "Auth-Protocol": protocol,
    "Auth-Login-Attempt": String(attempt),
    "Client-IP": client,
    "Client-Host": protocol === "smtp" ? "[UNAVAILABLE]" : undefined,
    "Auth-SMTP-Helo": helo === undefined ? undefined : escaped(helo),
    "Auth-SSL": tls === undefined ? undefined : "on",
    "Auth-SSL-Protocol": tls?.version,
    "Auth-SSL-Cipher": tls?.cipher,
  });
}

/** UTF-8, one octet a character, as Node's headers want it. */
function escaped(value: string): string {
  return Buffer.from(value)
    .toString("latin1")
    .replaceAll(
      /[^!-$&-~\u0080-\u00ff]/g,
      (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    );
}

function judge(
  headers: IncomingHttpHeaders,
  { user, password, authorization }: Credentials,
): HookAnswer {
  const status = fieldOf(headers, "auth-status");
  if (status === undefined) return { kind: "failed", why: "its answer has no Auth-Status" };
  const wait = Math.min(Number(fieldOf(headers, "auth-wait") ?? "0") || 0, WAIT_MAX);
  if (status === "WAIT") return { kind: "wait", wait: Math.max(wait, 1) };
  if (status !== "OK") {
    const code = fieldOf(headers, "auth-error-code") ?? "535 5.7.0";
    return {
      kind: "refused",
      status,
      code: /^[45]\d\d(?: [245]\.\d{1,3}\.\d{1,3})?$/.test(code) ? code : "535 5.7.0",
      wait: Math.max(wait, 0),
    };
  }
  const credentials = given({
    user: fieldOf(headers, "auth-user") ?? user,
    password: fieldOf(headers, "auth-pass") ?? password,
    authorization,
  });
  const server = fieldOf(headers, "auth-server");
  if (server === undefined) return { kind: "ok", credentials };
  const port = fieldOf(headers, "auth-port");
  const name = isIP(server) === 0 ? parseDomain(server) : server;
  if (name === undefined || (port !== undefined && !isPort(port))) {
    return { kind: "failed", why: "its Auth-Server or Auth-Port is invalid" };
  }
  return {
    kind: "ok",
    credentials,
    host: { name, ...given({ port: port === undefined ? undefined : Number(port) }) },
  };
}

function isPort(written: string): boolean {
  return /^\d{1,5}$/.test(written) && Number(written) > 0 && Number(written) < 65_536;
}

function fieldOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  const text = (Array.isArray(value) ? value[0] : value)?.trim();
  return text === "" ? undefined : text;
}
