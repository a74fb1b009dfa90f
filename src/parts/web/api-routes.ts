// /api: the same mail for programs, with the same rights.

import { BadQuery } from "./mail.ts";
import { octets } from "./octets.ts";
import { isAuditor } from "./reader.ts";
import type { Site } from "./site.ts";
import { type App, idIn, idOf, readerIn, type SiteContext } from "./visit.ts";

const LIMIT = 50;
const LIMIT_MAX = 500;

export function addApi(app: App, site: Site): void {
  app.use("/api/*", async (context, next) => {
    const { own } = context.var.visit;
    if (own === undefined) return context.json({ error: "log in first: POST /login" }, 401);
    if (own.reader.mustChange) return context.json({ error: "change the password first" }, 403);
    return next();
  });
  app.get("/api/mail", (context) => list(site, context));
  app.get("/api/mail/:id", async (context) => {
    const message = await site.mail.show(readerIn(context), idOf(context));
    return message === undefined ? gone(context) : context.json(message);
  });
  app.get("/api/mail/:id/raw", async (context) => {
    const source = await site.mail.source(readerIn(context), idOf(context));
    if (source === undefined) return gone(context);
    return octets(source, `message-${idOf(context)}.eml`, "message/rfc822");
  });
  app.get("/api/mail/:id/attachments/:number", async (context) => {
    const number = idIn(context.req.param("number")) ?? 0;
    const found = await site.mail.attachment(readerIn(context), idOf(context), number);
    if (found === undefined) return gone(context);
    return octets(found.stream, found.name, "application/octet-stream");
  });
  app.all("/api/*", (context) => context.json({ error: "there is no such address" }, 404));
}

async function list({ mail }: Site, context: SiteContext): Promise<Response> {
  const reader = readerIn(context);
  const { q = "", limit = String(LIMIT), after } = context.req.query();
  const wanted = idIn(limit);
  const before = idIn(after);
  if (wanted === undefined || wanted > LIMIT_MAX) {
    return context.json({ error: `limit: a number from 1 to ${LIMIT_MAX}` }, 400);
  }
  if (after !== undefined && before === undefined) {
    return context.json({ error: "after: the id of a message" }, 400);
  }
  const order = { query: q.trim(), limit: wanted, before, zone: reader.manner.zone };
  try {
    const { messages, next = null } = await mail.search(reader, order);
    return context.json({ messages, next });
  } catch (error) {
    if (!(error instanceof BadQuery)) throw error;
    return context.json({ error: error.message }, 400);
  }
}

function gone(context: SiteContext): Response {
  const reader = readerIn(context);
  return isAuditor(reader) && reader.reason === undefined
    ? context.json({ error: "not yours, or unknown; give a reason first: POST /reason" }, 403)
    : context.json({ error: "there is no such message" }, 404);
}
