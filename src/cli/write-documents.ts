// `npm run docs`: writes docs/config.md, docs/events.md and the tables of docs/cli.md from the declarations.

import { readFileSync, writeFileSync } from "node:fs";
import { configurationDocument } from "../config/document.ts";
import { eventTables } from "../events.ts";
import { builtIn } from "../built-in.ts";
import { withTables } from "./document.ts";
import { eventDocument } from "./event-document.ts";

const DOCS = new URL("../../docs/", import.meta.url);
const cli = new URL("cli.md", DOCS);

writeFileSync(new URL("config.md", DOCS), configurationDocument(builtIn));
writeFileSync(new URL("events.md", DOCS), eventDocument(eventTables));
writeFileSync(cli, withTables(readFileSync(cli, "utf8")));
