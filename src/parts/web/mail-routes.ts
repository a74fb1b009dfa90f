// /mail: search, list, message, attachments; and /reason, which opens other people's mail to auditors.

import { raw } from "hono/html";
import { BadQuery } from "./mail.ts";
import { listPage } from "./pages/list.ts";
import { framedPage, messagePage } from "./pages/message.ts";
import { GONE, problemPage } from "./pages/problem.ts";
import { reasonPage } from "./pages/reason.ts";
import { isAuditor } from "./reader.ts";
import { octets } from "./octets.ts";
import { framePolicy, OCTETS_POLICY } from "./security-headers.ts";
import type { Site } from "./site.ts";
import { type App, formOf, idIn, idOf, readerIn, type SiteContext } from "./visit.ts";

const PAGE_LENGTH = 50;
const REASON_MAX = 1000;

export function addMail(app: App, site: Site): void {
  app.use(async (context, next) => {
    const { own } = context.var.visit;
    if (own === undefined) {
      const { pathname, search } = new URL(context.req.url);
      return context.redirect(`/login?next=${encodeURIComponent(pathname + search)}`, 303);
    }
    return own.reader.mustChange ? context.redirect("/account", 303) : next();
  });
  app.get("/", (context) => context.redirect("/mail", 303));
  app.get("/mail", (context) => showList(site, context));
  app.get("/mail/:id", (context) => showMessage(site, context));
  app.get("/mail/:id/html", (context) => showHtml(site, context));
  app.get("/mail/:id/raw", (context) => download(site, context));
  app.get("/mail/:id/source", (context) => showSource(site, context));
  app.get("/mail/:id/attachments/:number", (context) => attachment(site, context));
  app.get("/reason", (context) => showReason(context));
  app.post("/reason", (context) => giveReason(site, context));
}

async function showList({ mail, clock }: Site, context: SiteContext): Promise<Response> {
  const reader = readerIn(context);
  const query = (context.req.query("q") ?? "").trim();
  const before = idIn(context.req.query("after"));
  const now = clock.now();
  try {
    const { zone } = reader.manner;
    const found = await mail.search(reader, { query, limit: PAGE_LENGTH, before, zone });
    return await context.html(listPage({ reader, query, found, now }));
  } catch (error) {
    if (!(error instanceof BadQuery)) throw error;
    const found = { messages: [], next: undefined };
    return context.html(listPage({ reader, query, found, now, problem: error.message }), 400);
  }
}

async function showMessage({ mail }: Site, context: SiteContext): Promise<Response> {
  const reader = readerIn(context);
  const message = await mail.show(reader, idOf(context));
  if (message === undefined) return gone(context);
  const { view, images, remote } = context.req.query();
  const choices = { isRemote: remote === "1", hasImages: images === "1" };
  const isText = view === "text" || message.html === "";
  return context.html(messagePage({ reader, message, view: isText ? "text" : "html", ...choices }));
}

async function showHtml({ mail, safeHtml }: Site, context: SiteContext): Promise<Response> {
  const reader = readerIn(context);
  const message = await mail.read(reader, idOf(context));
  if (message === undefined) return gone(context);
  const { images, remote } = context.req.query();
  const isRemote = remote === "1";
  const own = images === "1" ? await mail.images(reader, message) : new Map<string, string>();
  const safe = await safeHtml.safe(message.html, { isRemote, images: own });
  context.header("content-security-policy", framePolicy(isRemote));
  return context.html(framedPage(raw(safe?.html ?? TOO_SLOW)));
}

const TOO_SLOW = "<p>This message is too large or too strange to be shown. See its plain text.</p>";

async function download({ mail }: Site, context: SiteContext): Promise<Response> {
  const source = await mail.source(readerIn(context), idOf(context));
  if (source === undefined) return gone(context);
  return octets(source, `message-${idOf(context)}.eml`, "message/rfc822");
}

async function showSource({ mail }: Site, context: SiteContext): Promise<Response> {
  const source = await mail.source(readerIn(context), idOf(context));
  if (source === undefined) return gone(context);
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    "content-security-policy": OCTETS_POLICY,
  };
  return new Response(source, { headers });
}

async function attachment({ mail }: Site, context: SiteContext): Promise<Response> {
  const number = idIn(context.req.param("number")) ?? 0;
  const found = await mail.attachment(readerIn(context), idOf(context), number);
  if (found === undefined) return gone(context);
  return octets(found.stream, found.name, "application/octet-stream");
}

async function showReason(context: SiteContext): Promise<Response> {
  const reader = readerIn(context);
  return isAuditor(reader) ? context.html(reasonPage(reader)) : gone(context);
}

async function giveReason({ mail, sessions }: Site, context: SiteContext): Promise<Response> {
  const { own } = context.var.visit;
  const reader = readerIn(context);
  if (own === undefined || !isAuditor(reader)) return gone(context);
  const field = await formOf(context);
  const reason = field("reason").trim().slice(0, REASON_MAX);
  if (reason === "") return context.html(reasonPage(reader, "Write a reason."), 400);
  await mail.note({ user: reader.user, reason }, "reason", {});
  sessions.giveReason(own.session, reason);
  return context.redirect("/mail", 303);
}

/** An auditor without a reason may be looking for somebody else's message. */
async function gone(context: SiteContext): Promise<Response> {
  const reader = readerIn(context);
  if (isAuditor(reader) && reader.reason === undefined) {
    const why = "This message is not yours, or does not exist. To look, write a reason.";
    return context.html(reasonPage(reader, why), 403);
  }
  return context.html(problemPage(GONE, reader), 404);
}
