// /login, /login/code and /logout.

import type { Entry } from "./entry.ts";
import { codePage, loginPage } from "./pages/login.ts";
import type { Site } from "./site.ts";
import { type App, formOf, ownPath, type SiteContext } from "./visit.ts";

const WRONG = "The address or the password is wrong.";
const WRONG_CODE = "The code is wrong, or was used already.";

export function addLogin(app: App, site: Site): void {
  app.get("/login", (context) => showLogin(context));
  app.post("/login", (context) => login(site, context));
  app.get("/login/code", (context) => showCode(site, context));
  app.post("/login/code", (context) => loginCode(site, context));
  app.post("/logout", (context) => logout(site, context));
}

async function showLogin(context: SiteContext): Promise<Response> {
  const next = ownPath(context.req.query("next"));
  if (context.var.visit.own !== undefined) return context.redirect(next, 303);
  return context.html(loginPage({ user: "", next }));
}

async function login(site: Site, context: SiteContext): Promise<Response> {
  const field = await formOf(context);
  const [user, code, next] = [field("user").trim(), field("code"), ownPath(field("next"))];
  let entry = await site.entries.password(context.var.visit.client, user, field("password"));
  const isCode = entry.kind === "code" && code !== "";
  if (entry.kind === "code" && isCode) entry = site.entries.code(entry.token, code);
  return entered(site, context, entry, { user, next, isCode });
}

async function showCode({ entries, cookies }: Site, context: SiteContext): Promise<Response> {
  const next = ownPath(context.req.query("next"));
  if (!entries.awaitsCode(cookies.code(context))) return context.redirect("/login", 303);
  return context.html(codePage({ next }));
}

async function loginCode(site: Site, context: SiteContext): Promise<Response> {
  const field = await formOf(context);
  const entry = site.entries.code(site.cookies.code(context), field("code"));
  return entered(site, context, entry, { user: "", next: ownPath(field("next")), isCode: true });
}

function logout({ sessions, cookies }: Site, context: SiteContext): Response {
  const { own } = context.var.visit;
  if (own !== undefined) sessions.end(own.token);
  cookies.endSession(context);
  return context.redirect("/login", 303);
}

interface Attempt {
  readonly user: string;
  readonly next: string;
  /** The code of the second factor was judged. */
  readonly isCode: boolean;
}

async function entered(
  { mail, cookies }: Site,
  context: SiteContext,
  entry: Entry,
  attempt: Attempt,
): Promise<Response> {
  const isProgram = wantsJson(context);
  if (entry.kind === "in") {
    await mail.note({ user: entry.user.address, reason: undefined }, "login", {});
    cookies.setSession(context, entry.token);
    const { address, mustChange } = entry.user;
    if (isProgram) return context.json({ user: address });
    return context.redirect(mustChange ? "/account" : attempt.next, 303);
  }
  if (entry.kind === "code") {
    cookies.setCode(context, entry.token);
    if (isProgram) return context.json({ error: "the second factor is missing: code" }, 401);
    return context.redirect(`/login/code?next=${encodeURIComponent(attempt.next)}`, 303);
  }
  if (entry.kind === "later") context.header("retry-after", String(entry.seconds));
  const problem = problemOf(entry, attempt);
  const status = entry.kind === "later" ? 429 : 401;
  if (isProgram) return context.json({ error: problem }, status);
  const mayTryAgain = entry.kind === "later" || entry.mayTryAgain;
  const shown =
    attempt.isCode && mayTryAgain
      ? codePage({ ...attempt, problem })
      : loginPage({ ...attempt, problem });
  return context.html(shown, status);
}

function problemOf(
  entry: Extract<Entry, { kind: "wrong" | "later" }>,
  { isCode }: Attempt,
): string {
  if (entry.kind === "later") return `Too many attempts. Try again in ${entry.seconds} s.`;
  return isCode ? WRONG_CODE : WRONG;
}

function wantsJson(context: SiteContext): boolean {
  return (context.req.header("accept") ?? "").includes("application/json");
}
