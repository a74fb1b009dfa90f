// The protocol of users.sock: POST /login with a login as JSON, and its result.

import { isIP } from "node:net";
import { join } from "node:path";
import { isTable } from "../base/table.ts";
import type { LoginRequest, LoginResult } from "./logins.ts";

/** `user` is the address as the users file has it: each process reads the rest there. */
export type JudgedLogin =
  | Exclude<LoginResult, { readonly kind: "right" }>
  | { readonly kind: "right"; readonly user: string };

/** The path of the socket, for a relay with this spool directory. */
export function usersSocket(spoolDirectory: string): string {
  return join(spoolDirectory, "users.sock");
}

/** Undefined when the value is no login of another process. */
export function parseLogin(value: unknown): LoginRequest | undefined {
  if (!isTable(value)) return undefined;
  const { client, user, password, by } = value;
  if (typeof client !== "string" || isIP(client) === 0 || by !== "web") return undefined;
  if (typeof user !== "string" || typeof password !== "string") return undefined;
  return { client, user, password, by };
}

/** Undefined when the value is no result of a login. */
export function parseJudged(value: unknown): JudgedLogin | undefined {
  if (!isTable(value)) return undefined;
  const { kind, user, retryAfter } = value;
  if (kind === "wrong") return { kind };
  if (kind === "right" && typeof user === "string") return { kind, user };
  return kind === "later" && typeof retryAfter === "number" ? { kind, retryAfter } : undefined;
}

/** Undefined when the text is no JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
