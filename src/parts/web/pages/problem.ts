// A page that says what went wrong, and what to do.

import { html } from "hono/html";
import type { Reader } from "../reader.ts";
import { type Html, page } from "./layout.ts";

export interface Problem {
  readonly title: string;
  readonly text: string;
}

export const GONE: Problem = {
  title: "There is no such message",
  text: "It may have been let go by the archive’s rules, or it belongs to somebody else.",
};

export const NO_PAGE: Problem = {
  title: "There is no such page",
  text: "The address may have a typing error.",
};

export const AWAY: Problem = {
  title: "The archive does not answer",
  text: "Your mail is safe. Try again in a minute; if it lasts, tell your postmaster.",
};

export const FORGED: Problem = {
  title: "This form came from another site",
  text: "Nothing was changed. Open the page here and try again.",
};

export function problemPage({ title, text }: Problem, reader?: Reader): Html {
  const body = html`<article class="narrow">
    <h1>${title}</h1>
    <p>${text}</p>
    <p><a href="/mail">To the mail</a></p>
  </article>`;
  return page({ title, body, ...(reader === undefined ? {} : { reader }) });
}
