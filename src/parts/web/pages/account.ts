// The page on which a user changes password and second factor.

import { html } from "hono/html";
import type { Reader } from "../reader.ts";
import { type Html, notice, nothing, page } from "./layout.ts";

export interface AccountPage {
  readonly reader: Reader;
  readonly outcome?: { readonly kind: "error" | "done"; readonly text: string };
  /** A second factor that is not in force yet. */
  readonly fresh?: { readonly secret: string; readonly address: string };
}

export function accountPage({ reader, outcome, fresh }: AccountPage): Html {
  const body = html`<h1>${reader.user}</h1>
    ${outcome === undefined ? nothing : notice(outcome.kind, outcome.text)}
    ${reader.mustChange ? notice("error", "Choose a password of your own first.") : nothing}
    <article>
      <h2>Password</h2>
      <p>It is also the password of your mail program.</p>
      <form method="post" action="/account/password">
        <input type="hidden" name="user" autocomplete="username" value="${reader.user}" />
        <label for="password">Present password</label>
        <input
          id="password"
          name="password"
          type="password"
          autocomplete="current-password"
          required
        />
        <label for="next">New password, at least 12 characters</label>
        <input
          id="next"
          name="next"
          type="password"
          autocomplete="new-password"
          minlength="12"
          maxlength="1024"
          required
        />
        <button>Change the password</button>
      </form>
    </article>
    <article>
      <h2>Second factor</h2>
      ${reader.hasSecondFactor ? offForm : fresh === undefined ? onForm : confirmForm(fresh)}
    </article>`;
  return page({ title: "Your account", reader, body });
}

const passwordField = html`<label for="own">Present password</label>
  <input id="own" name="password" type="password" autocomplete="current-password" required />`;

const onForm = html`<p>
    With a second factor, these pages ask for six digits of your phone too. Your mail program does
    not.
  </p>
  <form method="post" action="/account/second-factor">
    <button>Set up a second factor</button>
  </form>`;

const offForm = html`<p>These pages ask for six digits of your device.</p>
  <form method="post" action="/account/second-factor/off">
    ${passwordField}
    <button>Take the second factor away</button>
  </form>`;

function confirmForm({ secret, address }: { secret: string; address: string }): Html {
  return html`<p>
      Add this key to the app on your phone, or <a href="${address}">open it there</a>:
      <code>${secret.replaceAll(/.{4}/g, "$& ")}</code>
    </p>
    <form method="post" action="/account/second-factor/on">
      <input type="hidden" name="secret" value="${secret}" />
      ${passwordField}
      <label for="code">The six digits that the app shows now</label>
      <input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" required />
      <button>Turn the second factor on</button>
    </form>`;
}
