// The list of messages: the newest, or those that a query finds.

import { html } from "hono/html";
import type { Found } from "../answers.ts";
import type { FoundPage } from "../mail.ts";
import type { Reader } from "../reader.ts";
import { longTime, senderName, shortTime, sizeText } from "../text.ts";
import { type Html, notice, nothing, page } from "./layout.ts";

export interface ListPage {
  readonly reader: Reader;
  readonly query: string;
  readonly found: FoundPage;
  /** The problem of the query. */
  readonly problem?: string;
  readonly now: number;
}

export function listPage({ reader, query, found, problem, now }: ListPage): Html {
  const { messages, next } = found;
  const title = query === "" ? "The newest mail" : `Mail: ${query}`;
  const body = html`<h1 class="${query === "" ? "" : "hidden"}">${title}</h1>
    ${problem === undefined ? nothing : notice("error", problem)}
    ${messages.length === 0 && problem === undefined ? none(query) : nothing}
    ${
      messages.length === 0
        ? nothing
        : html`<ol class="messages">
            ${messages.map((message) => item(message, reader, now))}
          </ol>`
    }
    ${
      next === undefined
        ? nothing
        : html`<nav aria-label="Pages">
            <a rel="next" href="${addressOf(query, next)}">Older messages</a>
          </nav>`
    }
    ${query === "" && messages.length > 0 ? nothing : help}`;
  return page({ title, reader, query, body });
}

function none(query: string): Html {
  return query === ""
    ? html`<p>There is no mail here yet.</p>`
    : html`<p role="status">No message fits <q>${query}</q>.</p>`;
}

function item(message: Found, reader: Reader, now: number): Html {
  const { id, account, folder, date, from, to, subject, size, attachments } = message;
  const who = folder === "Sent" ? `To: ${senderName(to)}` : senderName(from);
  const { manner, user } = reader;
  return html`<li>
    <a href="/mail/${id}">
      <span class="who">${who === "" ? "(no sender)" : who}</span>
      <span class="subject">${subject === "" ? "(no subject)" : subject}</span>
      <span class="more"
        >${account === user ? nothing : html`<span class="account">${account}</span> `}${
          folder === "INBOX" ? nothing : html`<span class="folder">${folder}</span> `
        }${
          attachments.length === 0
            ? nothing
            : html`<span class="files" title="${attachments.join(", ")}"
                >${filesText(attachments.length)}</span
              > `
        }${sizeText(size)}</span
      >
      <time datetime="${date}" title="${longTime(date, manner)}"
        >${shortTime(date, manner, now)}</time
      >
    </a>
  </li>`;
}

function filesText(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}

function addressOf(query: string, after?: number): string {
  const parameters = new URLSearchParams();
  if (query !== "") parameters.set("q", query);
  if (after !== undefined) parameters.set("after", String(after));
  const text = parameters.toString();
  return text === "" ? "/mail" : `/mail?${text}`;
}

const help = html`<details class="help">
  <summary>How to search</summary>
  <dl>
    <dt><code>invoice april</code></dt>
    <dd>both words, anywhere in the message or its attachments</dd>
    <dt><code>"annual report"</code></dt>
    <dd>the words in this order</dd>
    <dt><code>-draft</code></dt>
    <dd>without this word</dd>
    <dt><code>from:alice to:bob subject:lunch</code></dt>
    <dd>in one field</dd>
    <dt><code>after:2026-01-31 before:2026-03-01</code></dt>
    <dd>delivered in these days; <code>older:2y</code> and <code>newer:7d</code> count from now</dd>
    <dt><code>has:attachment filename:pdf larger:5M in:sent</code></dt>
    <dd>with attachments, by name, size and folder</dd>
  </dl>
</details>`;
