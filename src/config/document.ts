// docs/config.md, made from the declarations, so it describes exactly what the relay accepts. `npm run docs` writes it,
// and a test compares it with the file.

import { chainOptions, transportOptions } from "../route/chain-options.ts";
import type { Driver } from "../contract/contract.ts";
import type { BuiltIn } from "./configuration.ts";
import type { Option } from "../options/options.ts";
import type { Lookup } from "../lists/lookup.ts";
import { sections } from "./sections.ts";

type Fields = Readonly<Record<string, Option<unknown>>>;

const INTRODUCTION = `# The configuration file

This page is made from the source by \`npm run docs\`. A commented example is \`etc/routers.toml\`.

The file is TOML. \`relayctl check\` reports every problem of it, as \`file:line: option: what is wrong\`;
an option that is not on this page is an error. \`relayctl reload\` or SIGHUP makes a running relay read it again. If it has an
error, the running configuration stays.

- A **duration** is \`90s\`, \`15m\`, \`2h\`, \`4d\`, \`1w\`, \`10y\` or several of these, as \`1h30m\`.
- A **size** is in bytes, or has a binary unit: \`64K\` is 65536 bytes, \`50M\` is 52428800.
- A **path** that is relative starts at the directory of this file.
- A **list** is a list of texts, and one text is a list of one. It is scanned from left to right and the first item that
  matches decides; \`!\` in front of an item makes its match a "no". When no item matches, the answer is "no", unless the
  last item had a \`!\`: then it is "yes". Case does not matter.
- A **list of domains** has items like \`example.com\`, \`*.example.com\` (every subdomain), \`*\` (everything), \`+name\` (a list
  in [domains]) and lookups.
- A **list of local parts** has items like \`bob\`, \`*\` and lookups. \`{domain}\` in a lookup stands for the domain that the list of
  domains beside it has matched: \`lsearch:accounts/{domain}\` is one file for each domain. In such a file, and in every file
  if there is an [accounts] table, the account may be an address of another domain: \`bob.smith: bob@example.net\`.
- A **list of hosts** has items like \`192.0.2.1\`, \`192.0.2.0/24\`, \`2001:db8::/32\`, \`*\`, \`+name\` (a list in [hosts]) and
  lookups.
- A **lookup** is an item that refers to another source:
`;

/** For which lists, and what it is. */
function lookupPart({ of, shown, doc }: Lookup): string {
  const lists = of === "names" ? "lists of domains and of local parts" : "lists of hosts";
  return `  - In ${lists}: \`${shown}\` ${doc}`;
}

const DRIVERS = `A driver that is not on this page is a module of yours: \`driver = "./mine.ts"\`, or the name of a package that is
installed beside this file. [drivers.md](drivers.md) shows how one is written.
A changed module is loaded when the relay is restarted, not by a reload.
`;

export function configurationDocument(builtIn: BuiltIn): string {
  const { retry, replies, bounce, https, ...before } = sections;
  const lookups = Array.from(builtIn.lookups.values(), lookupPart);
  return [
    `${INTRODUCTION}${lookups.join("\n")}\n`,
    ...sectionParts(before, ""),
    "## [[routers]]\n",
    "Routers are asked in the order of the file, for each recipient, until one takes it. The options of every router:\n",
    table(chainOptions.fields),
    DRIVERS,
    ...[...builtIn.routers.values()].map((driver) => driverPart("router", driver)),
    "## [transports.NAME]\n",
    "A transport delivers the mail that a router has accepted. The options of every transport:\n",
    table(transportOptions.fields),
    ...[...builtIn.transports.values()].map((driver) => driverPart("transport", driver)),
    ...sectionParts({ retry, replies, bounce, https, ...builtIn.sections }, ""),
  ].join("\n");
}

/** A heading and a table for each option that is a table itself, and for the tables inside it. */
function sectionParts(fields: Fields, around: string): string[] {
  return Object.entries(fields).flatMap(([key, option]) => {
    const path = `${around}${key}`;
    const { inner, each, doc } = option;
    const level = "#".repeat(2 + path.split(".").length - 1);
    if (each !== undefined) return [`${level} [${path}]\n`, `${doc}\n`, entries(each)];
    if (inner === undefined) return [];
    const header = option.type === "tables" ? `[[${path}]]` : `[${path}]`;
    const title = `${level} ${header}${option.required ? "" : ", optional"}\n`;
    return [title, `${doc}\n`, table(inner.fields), ...sectionParts(inner.fields, `${path}.`)];
  });
}

function entries(each: Option<unknown>): string {
  return `Each entry is a name of your choice and a ${each.type}.\n`;
}

function driverPart<Instance>(word: string, driver: Driver<unknown, Instance>): string {
  const needs = driver.requires ?? [];
  const notes = [
    ...(needs.length > 0 ? [`Needs ${needs.map(code).join(" and ")}.`] : []),
    ...(driver.defaults?.unseen === true ? ["`unseen` is true by default."] : []),
    ...(driver.defaults?.relayed === true ? ["`relayed` is true by default."] : []),
    ...(driver.defaults?.restored === false ? ["`restored` is false by default."] : []),
  ];
  const fields = driver.options.fields;
  const options = Object.keys(fields).length > 0 ? table(fields) : "No options of its own.\n";
  const title = `### ${word} driver \`${driver.name}\`\n`;
  return [title, ...notes.map((note) => `${note}\n`), options].join("\n");
}

function table(fields: Fields): string {
  const rows = Object.entries(fields).map(([key, option]) =>
    [code(key), option.type, defaultOf(option), option.doc].map(cell).join(" | "),
  );
  const head = ["| option | type | default | meaning |", "|---|---|---|---|"];
  return [...head, ...rows.map((row) => `| ${row} |`), ""].join("\n");
}

/** With a fallback, `shown` is in the file's notation and is set as code. Otherwise it is a remark in words. */
function defaultOf({ required, shown, fallback, inner }: Option<unknown>): string {
  if (required) return "**required**";
  if (inner !== undefined || shown === undefined) return "none";
  return fallback === undefined ? shown : code(shown);
}

function code(text: string): string {
  return `\`${text}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
