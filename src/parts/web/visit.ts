// Who makes a request: the client, its session, and the reader behind it.

import type { HttpBindings } from "@hono/node-server";
import type { Context, Hono } from "hono";
import { mannerOf, type Reader } from "./reader.ts";
import { credentialsOf, type Session } from "./sessions.ts";
import type { Site } from "./site.ts";

interface SiteEnv {
  Bindings: HttpBindings;
  Variables: { visit: Visit };
}

export type App = Hono<SiteEnv>;
export type SiteContext = Context<SiteEnv>;

export interface Visit {
  /** The address of the client. */
  readonly client: string;
  /** Absent: nobody is logged in. */
  readonly own?: { readonly token: string; readonly session: Session; readonly reader: Reader };
}

/** A session whose user is gone, or has other credentials by now, is ended. */
export async function readerOf(site: Site, context: SiteContext): Promise<Visit> {
  const { sessions, logins, cookies, clients } = site;
  const peer = context.env.incoming.socket.remoteAddress ?? "";
  const client = clients.of(peer, context.req.header("x-forwarded-for"));
  const token = cookies.session(context);
  const session = token === "" ? undefined : sessions.find(token);
  if (session === undefined) return { client };
  const user = await logins.find(session.user);
  if (user === undefined || credentialsOf(user) !== session.credentials) {
    sessions.end(token);
    return { client };
  }
  const { role, mustChange, totp, address } = user;
  const reader = {
    user: address,
    role,
    reason: role === "none" ? undefined : session.reason?.text,
    mustChange,
    hasSecondFactor: totp !== undefined,
    manner: mannerOf(cookies.zone(context), context.req.header("accept-language")),
  };
  return { client, own: { token, session, reader } };
}

/** The reader of a page that stands behind the check that somebody is logged in. */
export function readerIn(context: SiteContext): Reader {
  const { own } = context.var.visit;
  if (own === undefined) throw new Error("a page of mail without a reader");
  return own.reader;
}

/** Reads the fields of a form by their names; "" for a missing one. */
export async function formOf(context: SiteContext): Promise<(name: string) => string> {
  const form = await context.req.parseBody();
  return (name) => {
    const value = form[name];
    return typeof value === "string" ? value : "";
  };
}

/** A positive whole number; undefined for anything else. */
export function idIn(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,15}$/.test(text) ? Number(text) : undefined;
}

/** The id in the address of the page; 0, which no message has, for anything that is none. */
export function idOf(context: SiteContext): number {
  return idIn(context.req.param("id")) ?? 0;
}

/** A path of ours to go to after a login; "/mail" for anything else. */
export function ownPath(path: string | undefined): string {
  const isOwn = path !== undefined && /^\/(?![/\\])[\x21-\x7e]{0,2000}$/.test(path);
  return isOwn ? path : "/mail";
}
