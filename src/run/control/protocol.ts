// The messages on the control socket: HTTP, with one JSON object in each direction. Server and client share this file.

import { isIP } from "node:net";
import { join } from "node:path";
import type { Configuration } from "../../config/configuration.ts";
import { isTable } from "../../base/table.ts";
import type { Carried, Order } from "../../queue/postmaster.ts";
import type { HostListDescription } from "../../lists/create-lists.ts";
import type { Acceptance } from "../../lists/lookup.ts";
import { parseDomain } from "../../mail/address.ts";
import type { AddressFilter } from "../../spool/spool.ts";

export interface ReloadRequest {
  /** Believe lists in their present state, although they have lost many entries. */
  readonly acceptLists?: boolean;
}

export type Reloaded =
  | {
      readonly listeners: readonly string[];
      /** Options that have changed in the file but need a restart. */
      readonly kept: readonly string[];
      /** Lists that were not believed when their acceptance was asked for. */
      readonly lists?: readonly Acceptance[];
    }
  /** The reasons why nothing has changed, a line each. */
  | { readonly problems: readonly string[] };

/** The order to describe host lists as the relay has them, after asking the DNS again if `refresh` is true. */
export interface HostsOrder {
  readonly refresh: boolean;
  /** Absent: all lists. */
  readonly name?: string;
}

export interface HostsAnswer {
  readonly lists: readonly HostListDescription[];
}

export type ControlAnswer = Carried | { readonly error: string };

/** The path by which a client of the control socket asks to play a client of the relay. */
export function playedPath(address: string): string {
  return `/session?client=${encodeURIComponent(address)}`;
}

/** The address in a path of `playedPath`; undefined for any other path. */
export function playedClient(path: string): string | undefined {
  const url = URL.parse(path, "http://relay");
  const address = url?.searchParams.get("client") ?? "";
  return url?.pathname === "/session" && isIP(address) !== 0 ? address : undefined;
}

/** sun_path of Linux holds 108 bytes, the last of them 0. */
const SOCKET_PATH_MAX = 107;

type RelayOptions = Configuration["relay"];
type Paths = Pick<RelayOptions, "spool_directory"> & Partial<Pick<RelayOptions, "control_socket">>;

export function controlSocket({ control_socket: given, spool_directory: spool }: Paths): string {
  return given ?? join(spool, "control.sock");
}

/** Returns why a socket cannot have this path; undefined when it can. */
export function unfitSocketPath(path: string): string | undefined {
  const length = Buffer.byteLength(path);
  return length <= SOCKET_PATH_MAX
    ? undefined
    : `the path of a Unix socket has at most ${SOCKET_PATH_MAX} bytes, and this one has ${length}; name another control_socket in [relay]`;
}

const HOLD_ACTIONS = ["hold", "release"] as const;
const ACTIONS = ["retry", "freeze", "thaw", "bounce", "remove"] as const;

/** Undefined when the text is not a valid order. */
export function parseOrder(text: string): Order | undefined {
  const value = parseJson(text);
  if (!isTable(value)) return undefined;
  const holding = HOLD_ACTIONS.find((known) => known === value["action"]);
  if (holding !== undefined) {
    const domain = typeof value["domain"] === "string" ? parseDomain(value["domain"]) : undefined;
    return domain === undefined ? undefined : { action: holding, domain };
  }
  const action = ACTIONS.find((known) => known === value["action"]);
  const ids = idsOf(value["ids"]);
  if (action === undefined || ids === undefined) return undefined;
  if (value["only"] === undefined) return { action, ids };
  const only = addressFilterOf(value["only"]);
  return only === undefined ? undefined : { action, ids, only };
}

/** An empty text is a plain reload. Undefined when the text is not a valid request. */
export function parseReload(text: string): ReloadRequest | undefined {
  const value = text === "" ? {} : parseJson(text);
  if (!isTable(value)) return undefined;
  const { acceptLists = false } = value;
  return typeof acceptLists === "boolean" ? { acceptLists } : undefined;
}

/** Undefined when the text is not a valid order. */
export function parseHostsOrder(text: string): HostsOrder | undefined {
  const value = parseJson(text);
  if (!isTable(value)) return undefined;
  const { refresh, name } = value;
  if (typeof refresh !== "boolean") return undefined;
  if (name === undefined) return { refresh };
  return typeof name === "string" ? { refresh, name } : undefined;
}

function addressFilterOf(value: unknown): AddressFilter | undefined {
  if (!isTable(value)) return undefined;
  const { domain, localPart } = value;
  if (typeof domain !== "string") return undefined;
  if (localPart === undefined) return { domain };
  return typeof localPart === "string" ? { domain, localPart } : undefined;
}

function idsOf(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((id) => typeof id === "string") ? value : undefined;
}

/** Undefined when the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
