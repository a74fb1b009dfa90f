// Finds problems that show only when two places of the file are compared, or that need the table of lookups: names that do
// not exist or lead back to themselves, names that are given twice, lookups that do not exist, and relay rules that would
// make the relay an open relay.

import { isIPv4 } from "node:net";
import { coversEverybody, parseHostItem } from "../lists/host-items.ts";
import { hasPlaceholder } from "../lists/domain-placeholder.ts";
import { type Lookup, lookupProblem, type Lookups, parseLookup } from "../lists/lookup.ts";
import { parseListenAddress } from "../base/net/listen-address.ts";
import { suggestion } from "../options/options.ts";
import type { Problem, Reference } from "../options/options.ts";
import { textsOf } from "./written-options.ts";
import type { Written } from "./written-options.ts";
import { isTable } from "../base/table.ts";

type Root = Readonly<Record<string, unknown>>;

export function crossCheck(
  root: Root,
  written: readonly Written[],
  lookups: Lookups,
  problems: Problem[],
): void {
  const domains = namedLists(root["domains"]);
  const hosts = namedLists(root["hosts"]);
  const names: Record<Reference, readonly string[]> = {
    domains: Object.keys(domains),
    hosts: Object.keys(hosts),
    transport: isTable(root["transports"]) ? Object.keys(root["transports"]) : [],
  };
  for (const one of written) {
    checkReference(one, names, problems);
    checkDriver(one, root["transports"], problems);
    checkLookups(one, lookups, problems);
    checkPlaceholders(one, written, domains, problems);
    checkGrant(one, written, { domains, hosts }, problems);
    if (one.option.certificates === "required") checkAsked(one, written, problems);
    if (one.option.refersTo === "domains") checkForgottenPlus(one, domains, problems);
  }
  checkCircles("domains", domains, problems);
  checkCircles("hosts", hosts, problems);
  const unique = written.filter(({ option }) => option.isUnique);
  for (const alike of Map.groupBy(unique, ({ option }) => option).values()) {
    checkUnique(alike, problems);
  }
  const bound = written.filter(({ option }) => option.isBound);
  checkUnique(bound, problems);
  checkOverlaps(bound, problems);
}

/** Refuses options that open the relay to all clients. */
function checkGrant(
  one: Written,
  written: readonly Written[],
  { domains, hosts }: Readonly<Record<"domains" | "hosts", NamedTexts>>,
  problems: Problem[],
): void {
  switch (one.option.grants) {
    case "relay":
      // With a required certificate, clients may have any address.
      if (!isCertified(one, written)) checkOpenRelay(one, hosts, problems);
      break;
    case "proof":
      checkOpenProof(one, domains, problems);
      break;
    case "acceptance":
      checkOpenDomains(one, domains, problems);
      break;
    case undefined:
  }
}

/** Whether an option of the same table requires a client certificate. */
function isCertified({ path }: Written, written: readonly Written[]): boolean {
  return written.some(
    (one) =>
      one.option.certificates === "required" &&
      tableOf(one.path) === tableOf(path) &&
      textsOf(one.value, one.path).length > 0,
  );
}

/** "gate.relay[0]" of "gate.relay[0].hosts" */
function tableOf(path: string): string {
  return path.slice(0, path.lastIndexOf("."));
}

function checkAsked({ path }: Written, written: readonly Written[], problems: Problem[]): void {
  if (written.some(({ option }) => option.certificates === "asked")) return;
  const message = 'no listener has client_certificates = "request": nobody is asked for one';
  problems.push({ path, message });
}

type NamedTexts = Record<string, readonly string[]>;

/** The lists have no prototype, so that a list "constructor" is not found unless the file has one. */
function namedLists(section: unknown): NamedTexts {
  const entries = Object.entries(isTable(section) ? section : {});
  const lists: NamedTexts = Object.fromEntries(
    entries.map(([name, value]) => [name, textsOf(value, "").map(({ text }) => text)]),
  );
  Object.setPrototypeOf(lists, null);
  return lists;
}

/** The list that an item refers to: "+name" and "!+name". In a rule of a route_list, more text may follow. */
function referredTo(item: string): string | undefined {
  return /^!?\+(\S+)/.exec(item)?.[1];
}

function checkReference(
  { option, path, value }: Written,
  names: Record<Reference, readonly string[]>,
  problems: Problem[],
): void {
  const kind = option.refersTo;
  if (kind === undefined) return;
  const known = names[kind];
  for (const { text, path: at } of textsOf(value, path)) {
    const name = kind === "transport" ? text : referredTo(text);
    if (name === undefined || name === "" || known.includes(name)) continue;
    const what = kind === "transport" ? `no transport "${name}"` : `no "${name}" in [${kind}]`;
    problems.push({ path: at, message: `there is ${what}${suggestion(name, known)}` });
  }
}

/** That the transport has the driver that the option needs. */
function checkDriver({ option, path, value }: Written, transports: unknown, problems: Problem[]) {
  if (option.driver === undefined || typeof value !== "string" || !isTable(transports)) return;
  const transport = transports[value];
  if (!isTable(transport) || transport["driver"] === option.driver) return;
  problems.push({ path, message: `"${value}" must have driver = "${option.driver}"` });
}

/** That there is such a lookup, and that it can be asked for that. */
function checkLookups({ option, path, value }: Written, lookups: Lookups, problems: Problem[]) {
  const of = option.lookups;
  if (of === undefined) return;
  for (const { text, path: at } of textsOf(value, path)) {
    const item = option.itemOf?.(text) ?? text;
    const lookup = lookupIn(item, of);
    const wrong = lookup && lookupProblem(lookup, of, lookups);
    if (wrong !== undefined) {
      problems.push({ path: at, message: `${JSON.stringify(item)}: ${wrong}` });
    }
  }
}

/** That `{domain}` in a lookup of names has a value, whatever domain the list beside it matches. */
function checkPlaceholders(
  { option, path, value }: Written,
  written: readonly Written[],
  domains: NamedTexts,
  problems: Problem[],
): void {
  if (option.lookups !== "names") return;
  for (const { text, path: at } of textsOf(value, path)) {
    const lookup = lookupIn(option.itemOf?.(text) ?? text, "names");
    if (lookup === undefined || !hasPlaceholder(lookup.argument)) continue;
    const wrong = placeholderProblem(option.domainOf, { path, written, domains });
    if (wrong !== undefined)
      problems.push({ path: at, message: `${JSON.stringify(text)}: ${wrong}` });
  }
}

function placeholderProblem(
  domainOf: string | undefined,
  {
    path,
    written,
    domains,
  }: {
    readonly path: string;
    readonly written: readonly Written[];
    readonly domains: NamedTexts;
  },
): string | undefined {
  if (domainOf === undefined) return "{domain} has a meaning only in a list of local parts";
  const beside = written.find((one) => one.path === `${tableOf(path)}.${domainOf}`);
  if (beside === undefined) return `{domain} needs the option ${domainOf}, which gives its value`;
  const items = textsOf(beside.value, beside.path).map(({ text }) => text);
  return holdsEverybody(items, domains, new Set())
    ? `{domain} needs names in ${domainOf}, which matches every domain`
    : undefined;
}

/** Undefined when the item is none. */
function lookupIn(item: string, of: Lookup["of"]): ReturnType<typeof parseLookup> {
  if (of === "names") return parseLookup(item.startsWith("!") ? item.slice(1) : item);
  const host = parseHostItem(item);
  return host?.kind === "lookup" ? host : undefined;
}

/** Each circle is reported once, at the list through which it is entered first. */
function checkCircles(section: string, lists: NamedTexts, problems: Problem[]): void {
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): void => {
    const start = trail.indexOf(name);
    if (start !== -1) {
      const circle = [...trail.slice(start), name].map((one) => `+${one}`).join(" → ");
      problems.push({ path: `${section}.${name}`, message: `leads back to itself: ${circle}` });
    } else if (!done.has(name)) {
      for (const item of lists[name] ?? []) {
        const next = referredTo(item);
        if (next !== undefined) visit(next, [...trail, name]);
      }
      done.add(name);
    }
  };
  for (const name of Object.keys(lists)) visit(name, []);
}

/** No honest rule needs more addresses than an IPv4 /8, or an IPv6 /16. */
const WIDEST = { 4: 2n ** 24n, 6: 2n ** 112n };

function checkOpenRelay({ path, value }: Written, hosts: NamedTexts, problems: Problem[]): void {
  const texts = textsOf(value, path);
  const items = texts.map(({ text }) => text);
  if (items.at(-1)?.startsWith("!") === true) {
    const message = "ends in a negative item and so matches everybody else: an open relay";
    problems.push({ path, message });
  } else if (coversEverybody(items, hosts)) {
    problems.push({ path, message: "matches everybody: an open relay" });
  } else {
    for (const { text, path: at } of texts) {
      const wide = tooWide(text, hosts, new Set());
      if (wide === undefined) continue;
      problems.push({ path: at, message: `"${wide}" is too wide a net for a relay rule` });
    }
  }
}

/** The first network that is too wide, in an item or in the lists that it refers to. */
function tooWide(text: string, hosts: NamedTexts, seen: Set<string>): string | undefined {
  const item = parseHostItem(text);
  if (item === undefined || item.negated || seen.has(text)) return undefined;
  seen.add(text);
  if (item.kind === "network") {
    const { family, first, last } = item.network;
    const isWide = BigInt(last) - BigInt(first) >= WIDEST[family];
    return isWide && !isLocalIpv6(text) ? text : undefined;
  }
  if (item.kind !== "list") return undefined;
  for (const inner of hosts[item.name] ?? []) {
    const wide = tooWide(inner, hosts, seen);
    if (wide !== undefined) return wide;
  }
  return undefined;
}

/** Addresses in fc00::/7 and fe80::/10 never come from outside. */
function isLocalIpv6(text: string): boolean {
  return /^f[cde][0-9a-f]{2}:/i.test(text) && Number(text.split("/")[1]) >= 7;
}

/** A proof for every domain is worthless, because every domain has an owner who can sign for it. */
function checkOpenProof({ path, value }: Written, lists: NamedTexts, problems: Problem[]): void {
  const items = textsOf(value, path).map(({ text }) => text);
  if (!holdsEverybody(items, lists, new Set())) return;
  problems.push({ path, message: "matches every domain, so anybody's signature is a proof" });
}

/** Mail for local domains is accepted from all clients. */
function checkOpenDomains({ path, value }: Written, lists: NamedTexts, problems: Problem[]): void {
  const items = textsOf(value, path).map(({ text }) => text);
  if (!holdsEverybody(items, lists, new Set())) return;
  problems.push({ path, message: "matches every domain: an open relay" });
}

/** `domains = "ours"` means one domain of that strange name, so the router would get no mail at all. */
function checkForgottenPlus(
  { path, value }: Written,
  lists: NamedTexts,
  problems: Problem[],
): void {
  for (const { text, path: at } of textsOf(value, path)) {
    const name = text.startsWith("!") ? text.slice(1) : text;
    const isMeant = lists[name]?.includes(name) ?? true;
    if (!isMeant)
      problems.push({ path: at, message: `"${name}" is a domain; the list is "+${name}"` });
  }
}

function holdsEverybody(items: readonly string[], lists: NamedTexts, seen: Set<string>): boolean {
  if (items.at(-1)?.startsWith("!") === true) return true;
  return items.some((item) => {
    const name = item.startsWith("+") ? item.slice(1) : undefined;
    if (name === undefined || seen.has(name)) return item === "*";
    return holdsEverybody(lists[name] ?? [], lists, seen.add(name));
  });
}

function checkUnique(written: readonly Written[], problems: Problem[]): void {
  const first = new Map<string, string>();
  for (const { path, value } of written) {
    // Port 0 is a different port each time.
    if (typeof value !== "string" || value.endsWith(":0")) continue;
    const before = first.get(value);
    if (before === undefined) first.set(value, path);
    else problems.push({ path, message: `is the same as ${before}: ${JSON.stringify(value)}` });
  }
}

/** The system binds a port on all addresses only if the port is free on every one of them. */
function checkOverlaps(bound: readonly Written[], problems: Problem[]): void {
  const listeners = bound.flatMap(({ path, value }) => {
    const address = typeof value === "string" ? parseListenAddress(value) : undefined;
    return address === undefined || address.port === 0 ? [] : [{ path, ...address }];
  });
  for (const wide of listeners) {
    if (wide.host !== "::" && wide.host !== "0.0.0.0") continue;
    for (const one of listeners) {
      const isWithin =
        wide.host === "::" ? one.host !== "::" : one.host !== "0.0.0.0" && isIPv4(one.host);
      if (one.port !== wide.port || !isWithin) continue;
      const every = `every address of the machine${wide.host === "::" ? ", IPv4 and IPv6" : ""}`;
      problems.push({
        path: one.path,
        message: `is within ${wide.path}: ${JSON.stringify(wide.written)} is ${every}`,
      });
    }
  }
}
