// One message.

import { html } from "hono/html";
import type { Attachment, Shown } from "../answers.ts";
import type { Reader } from "../reader.ts";
import { longTime, sizeText } from "../text.ts";
import { type Html, notice, nothing, page } from "./layout.ts";

export interface MessagePage {
  readonly reader: Reader;
  readonly message: Shown;
  /** How the text is shown. */
  readonly view: "html" | "text";
  readonly isRemote: boolean;
  readonly hasImages: boolean;
}

export function messagePage(given: MessagePage): Html {
  const { reader, message } = given;
  const { id, subject, from, to, date, account, folder, size, flaw } = message;
  const title = subject === "" ? "(no subject)" : subject;
  const body = html`<article class="message">
    <h1>${title}</h1>
    <dl class="fields">
      <dt>From</dt>
      <dd>${from}</dd>
      <dt>To</dt>
      <dd>${to}</dd>
      <dt>Delivered</dt>
      <dd><time datetime="${date}">${longTime(date, reader.manner)}</time></dd>
      <dt>Kept for</dt>
      <dd>${account}, ${folder}, ${sizeText(size)}</dd>
    </dl>
    ${flaw === "" ? nothing : notice("error", flaw)} ${views(given)}
    ${given.view === "html" ? frame(given) : html`<pre class="text">${message.text}</pre>`}
    ${message.parts.length === 0 ? nothing : attachments(id, message.parts)}
    <p>
      <a href="/mail/${id}/raw" download>Download the message as it is stored</a>, or
      <a href="/mail/${id}/source">look at its source</a>
    </p>
  </article>`;
  return page({ title, reader, body });
}

/** The other ways to see the message. */
function views({ message, view, isRemote, hasImages }: MessagePage): Html {
  const { id } = message;
  if (message.html === "") return nothing;
  const link = (query: string, text: string) =>
    html`<li><a href="/mail/${id}?${query}">${text}</a></li>`;
  return html`<nav aria-label="Views">
    <ul>
      ${view === "html" ? link("view=text", "Plain text") : link("view=html", "As the sender formatted it")}
      ${view === "html" && !hasImages ? link("images=1", "With the images in the message") : nothing}
      ${
        view === "html" && !isRemote
          ? link("images=1&remote=1", "With images from the web (their owner learns that you look)")
          : nothing
      }
    </ul>
  </nav>`;
}

function frame({ message: { id }, isRemote, hasImages }: MessagePage): Html {
  const query = `images=${hasImages ? 1 : 0}&remote=${isRemote ? 1 : 0}`;
  return html`<iframe
    title="The message"
    sandbox="allow-popups allow-popups-to-escape-sandbox"
    referrerpolicy="no-referrer"
    src="/mail/${id}/html?${query}"
  ></iframe>`;
}

function attachments(id: number, parts: readonly Attachment[]): Html {
  return html`<section aria-labelledby="attachments">
    <h2 id="attachments">Attachments</h2>
    <ul>
      ${parts.map(
        ({ number, name, type, size }) =>
          html`<li>
            <a href="/mail/${id}/attachments/${number}" download>${name}</a>
            <small>${type}, ${sizeText(size)}</small>
          </li>`,
      )}
    </ul>
  </section>`;
}

/** The document inside the frame. Its HTML has been made harmless. */
export function framedPage(safe: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="referrer" content="no-referrer" />
        <title>Message</title>
      </head>
      <body style="font-family: sans-serif; overflow-wrap: anywhere; background: #fff; color: #000">
        ${safe}
      </body>
    </html>`;
}
