// What passes over the control socket: HTTP, one JSON object each way. The server and its client share this page.

import { join } from "node:path";
import type { RelayOptions } from "../config/relay-options.ts";
import { isTable } from "../config/schema.ts";
import type { Change, Selection } from "../spool.ts";

export type ControlRequest =
  | { readonly action: "retry"; readonly selection: Selection }
  | { readonly action: "remove"; readonly ids: readonly string[] };

export type ControlAnswer = { readonly changes: readonly Change[] } | { readonly error: string };

/** sun_path of Linux holds 108 bytes, the last of them 0. */
const SOCKET_PATH_MAX = 107;

export function controlSocket({ control_socket: given, spool_directory: spool }: RelayOptions) {
  return given ?? join(spool, "control.sock");
}

/** Why there can be no socket of this name; undefined when there can. */
export function unfitSocketPath(path: string): string | undefined {
  const length = Buffer.byteLength(path);
  return length <= SOCKET_PATH_MAX
    ? undefined
    : `the path of a Unix socket has at most ${SOCKET_PATH_MAX} bytes, and this one has ${length}; name another control_socket in [relay]`;
}

/** Undefined when it is no request. */
export function parseControlRequest(text: string): ControlRequest | undefined {
  const value = parseJson(text);
  if (!isTable(value)) return undefined;
  const { action, ids } = { action: value["action"], ids: idsOf(value["ids"]) };
  if (action === "remove" && ids !== undefined) return { action, ids };
  const selection = selectionOf(value["selection"]);
  return action === "retry" && selection !== undefined ? { action, selection } : undefined;
}

function selectionOf(value: unknown): Selection | undefined {
  if (!isTable(value)) return undefined;
  const { kind, ids, domain } = {
    kind: value["kind"],
    ids: idsOf(value["ids"]),
    domain: value["domain"],
  };
  if (kind === "all") return { kind };
  if (kind === "ids" && ids !== undefined) return { kind, ids };
  return kind === "domain" && typeof domain === "string" ? { kind, domain } : undefined;
}

function idsOf(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((id) => typeof id === "string") ? value : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
