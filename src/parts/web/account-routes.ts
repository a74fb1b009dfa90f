// /account: a user changes the password and the second factor. Each change asks for the present password.

import { type Change, passwordFieldOf } from "../../users/passwd-file.ts";
import { changeUsers } from "../../users/users.ts";
import { accountPage, type AccountPage } from "./pages/account.ts";
import { isCodeOf, newSecret } from "./second-factor.ts";
import type { Site } from "./site.ts";
import { type App, formOf, type SiteContext } from "./visit.ts";

const PASSWORD_MIN = 12;
/** Octets. */
const PASSWORD_MAX = 1024;
const SECRET = /^[A-Z2-7]{32}$/;

export function addAccount(app: App, site: Site): void {
  app.use("/account/*", async (context, next) =>
    context.var.visit.own === undefined ? context.redirect("/login?next=/account", 303) : next(),
  );
  app.get("/account", (context) => answer(site, context, {}));
  app.post("/account/password", (context) => changePassword(site, context));
  app.post("/account/second-factor", (context) => {
    const fresh = newSecret(userOf(context), "unseen");
    return answer(site, context, { fresh });
  });
  app.post("/account/second-factor/on", (context) => turnOn(site, context));
  app.post("/account/second-factor/off", (context) => turnOff(site, context));
}

async function changePassword(site: Site, context: SiteContext): Promise<Response> {
  const field = await formOf(context);
  const next = field("next");
  if (next.length < PASSWORD_MIN || Buffer.byteLength(next) > PASSWORD_MAX) {
    return refused(site, context, `The new password needs ${PASSWORD_MIN} characters or more.`);
  }
  if (next === field("password")) {
    return refused(site, context, "The new password is the present one.");
  }
  const wrong = await wrongPassword(site, context, field("password"));
  if (wrong !== undefined) return wrong;
  const password = await passwordFieldOf(next);
  await change(site, context, { password, mustChange: false }, "password");
  return done(site, context, "The password is changed. Your other sessions have ended.");
}

async function turnOn(site: Site, context: SiteContext): Promise<Response> {
  const field = await formOf(context);
  const secret = field("secret");
  if (!SECRET.test(secret) || !isCodeOf(secret, field("code"), site.clock.now())) {
    const why = "The code does not belong to the key. Begin again with a new key.";
    return refused(site, context, why);
  }
  const wrong = await wrongPassword(site, context, field("password"));
  if (wrong !== undefined) return wrong;
  await change(site, context, { totp: secret }, "second factor on");
  return done(site, context, "The second factor is on.");
}

async function turnOff(site: Site, context: SiteContext): Promise<Response> {
  const field = await formOf(context);
  const wrong = await wrongPassword(site, context, field("password"));
  if (wrong !== undefined) return wrong;
  await change(site, context, { totp: null }, "second factor off");
  return done(site, context, "The second factor is off.");
}

/** The answer if the password is not that of the user, or the user must wait. */
async function wrongPassword(
  site: Site,
  context: SiteContext,
  password: string,
): Promise<Response | undefined> {
  const { client } = context.var.visit;
  const user = userOf(context);
  const result = await site.logins.login({ client, user, password, by: "web" });
  if (result.kind === "right") return undefined;
  if (result.kind === "wrong") return refused(site, context, "The present password is wrong.");
  const seconds = Math.max(1, Math.ceil(result.retryAfter / 1000));
  context.header("retry-after", String(seconds));
  const outcome = { kind: "error", text: `Try again in ${seconds} s.` } as const;
  return answer(site, context, { outcome }, 429);
}

/** Writes the change. All sessions of the user end, and this one begins anew. */
async function change(
  site: Site,
  context: SiteContext,
  wanted: Change,
  what: string,
): Promise<void> {
  const { own } = context.var.visit;
  const user = userOf(context);
  await site.mail.note({ user, reason: undefined }, "account", { change: what });
  await changeUsers(site.usersFile, {}, (users) => users.change(user, wanted));
  const changed = await site.logins.findNow(user);
  if (own !== undefined) site.sessions.end(own.token);
  if (changed !== undefined) site.cookies.setSession(context, site.sessions.begin(changed));
}

async function answer(
  site: Site,
  context: SiteContext,
  content: Omit<AccountPage, "reader">,
  code: 200 | 400 | 429 = 200,
): Promise<Response> {
  const { own } = context.var.visit;
  const user = await site.logins.find(userOf(context));
  if (own === undefined || user === undefined) return context.redirect("/login", 303);
  const { mustChange, totp } = user;
  const reader = { ...own.reader, mustChange, hasSecondFactor: totp !== undefined };
  return context.html(accountPage({ reader, ...content }), code);
}

function done(site: Site, context: SiteContext, text: string): Promise<Response> {
  return answer(site, context, { outcome: { kind: "done", text } });
}

function refused(site: Site, context: SiteContext, text: string): Promise<Response> {
  return answer(site, context, { outcome: { kind: "error", text } }, 400);
}

function userOf(context: SiteContext): string {
  return context.var.visit.own?.reader.user ?? "";
}
