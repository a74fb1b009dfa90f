// The page on which an auditor says why, before other people's mail is shown.

import { html } from "hono/html";
import type { Reader } from "../reader.ts";
import { type Html, notice, nothing, page } from "./layout.ts";

export function reasonPage(reader: Reader, problem?: string): Html {
  const body = html`<article class="narrow">
    <h1>Other people’s mail</h1>
    ${problem === undefined ? nothing : notice("error", problem)}
    <p>
      Write why you look. The reason holds for 30 minutes. It stands in the audit log with
      everything that you search and open.
    </p>
    <form method="post" action="/reason">
      <label for="reason">Reason</label>
      <textarea id="reason" name="reason" rows="3" maxlength="1000" required></textarea>
      <button>Go on</button>
    </form>
  </article>`;
  return page({ title: "Other people’s mail", reader, body });
}
