// The pages on which a user logs in.

import { html } from "hono/html";
import { type Html, notice, nothing, page } from "./layout.ts";

export interface LoginPage {
  /** The address as it was typed. */
  readonly user: string;
  /** The page to go to afterwards: a path of ours. */
  readonly next: string;
  readonly problem?: string;
}

export function loginPage({ user, next, problem }: LoginPage): Html {
  const body = html`<article class="narrow">
    <h1>Your mail</h1>
    ${problem === undefined ? nothing : notice("error", problem)}
    <form method="post" action="/login">
      <input type="hidden" name="next" value="${next}" />
      <label for="user">E-mail address</label>
      <input
        id="user"
        name="user"
        type="email"
        autocomplete="username"
        required
        value="${user}"
        ${user === "" ? "autofocus" : ""}
      />
      <label for="password">Password</label>
      <input
        id="password"
        name="password"
        type="password"
        autocomplete="current-password"
        required
        ${user === "" ? "" : "autofocus"}
      />
      <button>Log in</button>
    </form>
  </article>`;
  return page({ title: "Log in", body });
}

/** The page for the code of the second factor, after the right password. */
export function codePage({ next, problem }: Omit<LoginPage, "user">): Html {
  const body = html`<article class="narrow">
    <h1>Second factor</h1>
    ${problem === undefined ? nothing : notice("error", problem)}
    <form method="post" action="/login/code">
      <input type="hidden" name="next" value="${next}" />
      <label for="code">The six digits that your device shows</label>
      <input
        id="code"
        name="code"
        inputmode="numeric"
        autocomplete="one-time-code"
        pattern="[0-9 ]{6,7}"
        required
        autofocus
      />
      <button>Log in</button>
    </form>
  </article>`;
  return page({ title: "Second factor", body });
}
