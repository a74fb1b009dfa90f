// The frame of every page.

import { html, raw } from "hono/html";
import { isAuditor, type Reader } from "../reader.ts";

export type Html = ReturnType<typeof html>;

interface Layout {
  readonly title: string;
  /** Absent: nobody is logged in. */
  readonly reader?: Reader;
  /** The query in the search field. */
  readonly query?: string;
  readonly body: Html;
}

export function page({ title, reader, query = "", body }: Layout): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="stylesheet" href="/static/pico.css" />
        <link rel="stylesheet" href="/static/unseen.css" />
        <link rel="icon" href="data:," />
        <script src="/static/unseen.js" defer></script>
      </head>
      <body>
        <a class="skip" href="#content">Skip to the content</a>
        ${reader === undefined ? "" : bar(reader, query)}
        <main id="content" tabindex="-1">${body}</main>
      </body>
    </html>`;
}

function bar(reader: Reader, query: string): Html {
  return html`<header>
    <nav aria-label="Main">
      <ul>
        <li><strong>unseen</strong></li>
        <li><a href="/mail">Mail</a></li>
        <li><a href="/account">${reader.user}</a></li>
        <li>
          <form method="post" action="/logout"><button class="quiet">Log out</button></form>
        </li>
      </ul>
    </nav>
    <form role="search" action="/mail" method="get">
      <label for="q" class="hidden">Search mail</label>
      <input id="q" name="q" type="search" value="${query}" placeholder="from:alice invoice" />
      <button>Search</button>
    </form>
    ${isAuditor(reader) ? scope(reader) : ""}
  </header>`;
}

/** Whose mail an auditor sees. */
function scope({ reason }: Reader): Html {
  return reason === undefined
    ? html`<p class="scope">
        You see your own mail. <a href="/reason">Look at other people’s mail, with a reason</a>
      </p>`
    : html`<p class="scope" role="status">
        You see everybody’s mail. The reason is in the audit log with each search and message:
        <q>${reason}</q>
      </p>`;
}

/** A message to the reader, above a form or list. */
export function notice(kind: "error" | "done", text: string): Html {
  return html`<p class="notice ${kind}" role="${kind === "error" ? "alert" : "status"}">
    ${text}
  </p>`;
}

/** Nothing, as a part of a page. */
export const nothing: Html = raw("");
