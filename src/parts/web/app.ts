// The pages and their addresses.
//
// Invariants:
// - A request that changes something comes from our own pages, or from a program that is no browser.
// - Nobody sees a page of mail without a session.

import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { describeError } from "../../observe/log.ts";
import { NoArchive } from "../../archive/archive.ts";
import { addAccount } from "./account-routes.ts";
import { addApi } from "./api-routes.ts";
import { addLogin } from "./login-routes.ts";
import { addMail } from "./mail-routes.ts";
import { isOwnOrigin, isSecure, ownOrigins } from "./origin.ts";
import { AWAY, FORGED, NO_PAGE, problemPage } from "./pages/problem.ts";
import { secure } from "./security-headers.ts";
import { staticFiles } from "./static-files.ts";
import type { Site } from "./site.ts";
import { readerOf, type App } from "./visit.ts";

/** Octets of the largest form. */
const FORM_MAX = 64 * 1024;

export function createApp(site: Site): App {
  const app: App = new Hono();
  const origins = ownOrigins(site.options);
  const secured = isSecure(site.options);
  app.use(async (context, next) => {
    await next();
    secure(context.res.headers, secured);
  });
  app.onError((error, context) => {
    const isAway = error instanceof NoArchive;
    if (!isAway) site.log.event("relay.error", { where: "web", error: describeError(error) });
    const code = isAway ? 503 : 500;
    return isApi(context.req.path)
      ? context.json({ error: AWAY.title }, code)
      : context.html(problemPage(AWAY), code);
  });
  app.notFound((context) => context.html(problemPage(NO_PAGE), 404));
  staticFiles(app);
  app.use(bodyLimit({ maxSize: FORM_MAX }));
  app.use(async (context, next) => {
    const isReading = context.req.method === "GET" || context.req.method === "HEAD";
    if (!isReading && !isOwnOrigin(context.req.raw.headers, origins)) {
      return isApi(context.req.path)
        ? context.json({ error: FORGED.title }, 403)
        : context.html(problemPage(FORGED), 403);
    }
    context.set("visit", await readerOf(site, context));
    return next();
  });
  addLogin(app, site);
  addApi(app, site);
  addAccount(app, site);
  addMail(app, site);
  return app;
}

function isApi(path: string): boolean {
  return path.startsWith("/api/");
}
