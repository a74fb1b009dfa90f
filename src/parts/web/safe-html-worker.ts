// The thread that makes HTML harmless, so that HTML made to be slow delays nobody else.

import { parentPort } from "node:worker_threads";
import { safeHtml, type HtmlChoices } from "./safe-html.ts";

export interface HtmlOrder {
  readonly html: string;
  readonly choices: HtmlChoices;
}

parentPort?.on("message", ({ html, choices }: HtmlOrder) => {
  parentPort?.postMessage(safeHtml(html, choices));
});

// All modules are loaded: the first message of this thread says so.
parentPort?.postMessage("ready");
