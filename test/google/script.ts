// A host of Google's that answers by a script, and a service account that it knows.

import { generateKeyPairSync, verify } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { manualClock, type ManualClock } from "../support/clock.ts";
import { startHttp } from "../support/http-server.ts";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
export const PEM = privateKey.export({ type: "pkcs8", format: "pem" });

/** One answer. A function does what it likes with the connection. */
export type Scripted =
  | {
      readonly status?: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | ((response: ServerResponse) => void);

export interface Script {
  /** Answers at /token after the first good statement; the last one is repeated. Empty: a token each time. */
  readonly tokens: Scripted[];
  /** Answers elsewhere; the last one is repeated. */
  readonly answers: Scripted[];
}

export interface ScriptedGoogle {
  readonly base: string;
  readonly keyFile: string;
  /** Claims of the statements at /token. */
  readonly claims: Record<string, unknown>[];
  /** `Authorization` of the requests elsewhere. */
  readonly bearers: string[];
  readonly requests: string[];
  readonly statements: string[];
}

export async function startScript(
  t: TestContext,
  script: Partial<Script>,
): Promise<ScriptedGoogle> {
  const { tokens = [], answers = [] } = script;
  const seen = {
    claims: [] as Record<string, unknown>[],
    bearers: [] as string[],
    requests: [] as string[],
    statements: [] as string[],
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url === "/token") {
      const statement = new URLSearchParams(await text(request)).get("assertion") ?? "";
      seen.statements.push(statement);
      seen.claims.push(claimsIn(statement));
      const number = seen.claims.length;
      answer(
        response,
        next(tokens) ?? { body: { access_token: `token-${number}`, expires_in: 3600 } },
      );
      return;
    }
    seen.bearers.push(request.headers.authorization ?? "");
    seen.requests.push(request.url ?? "");
    answer(response, next(answers) ?? { body: {} });
  };
  const base = await startHttp(t, (request, response) => void serve(request, response));
  const keyFile = writeKeyFile(t, { token_uri: `${base}token` });
  return { base, keyFile, ...seen };
}

/** A key file with other fields. */
export function writeKeyFile(t: TestContext, fields: Readonly<Record<string, unknown>>): string {
  const directory = mkdtempSync(join(tmpdir(), "unseen-google-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "key.json");
  const whole = {
    type: "service_account",
    client_email: "relay@project.iam.example",
    client_id: "1234",
    private_key: PEM,
    ...fields,
  };
  writeFileSync(file, JSON.stringify(whole));
  return file;
}

function next(list: Scripted[]): Scripted | undefined {
  return list.length > 1 ? list.shift() : list[0];
}

function answer(response: ServerResponse, scripted: Scripted): void {
  if (typeof scripted === "function") scripted(response);
  else {
    const { status = 200, body, headers = {} } = scripted;
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  }
}

function claimsIn(statement: string): Record<string, unknown> {
  const [head = "", claims = "", signature = ""] = statement.split(".");
  const isGood = verify(
    "sha256",
    Buffer.from(`${head}.${claims}`),
    publicKey,
    Buffer.from(signature, "base64url"),
  );
  if (!isGood) throw new Error("a statement with a wrong signature");
  const object: Record<string, unknown> = JSON.parse(Buffer.from(claims, "base64url").toString());
  return object;
}

/** Milliseconds, as in src/google/exchange.ts. */
const REQUEST_LONGEST = 20_000;

/** A clock whose waits between tries are over at once, while time passes on it. */
export function hurriedClock(): ManualClock & { readonly waits: number[] } {
  const clock = manualClock();
  const waits: number[] = [];
  return {
    ...clock,
    get pending() {
      return clock.pending;
    },
    waits,
    after(delay, callback) {
      const isLimit = delay === REQUEST_LONGEST || callback.name === "over";
      if (isLimit) return clock.after(delay, callback);
      const timer = clock.after(delay, callback);
      waits.push(delay);
      setImmediate(() => clock.advance(Math.max(0, delay)));
      return timer;
    },
  };
}
