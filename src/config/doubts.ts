// What is not wrong with a configuration, and yet hardly meant: files of accounts that cannot be read or are written
// in another program's way, the secret of the example. It is said by `check` and at the start, and stops neither.

import { resolve } from "node:path";
import { findUser } from "../drop-root.ts";
import { readList } from "../lists/list-content.ts";
import { asWritten, parseLsearch } from "../lists/lsearch-text.ts";
import type { Configuration } from "./configuration.ts";
import { doubtsOfOrder } from "./order-doubts.ts";

/** Of each file only so many entries are named. */
const NAMED_MAX = 3;

/** As in etc/routers.toml, where everybody can read it. */
const PUBLISHED_SECRET = "put-a-long-secret-here";

/** One clause for each, with the place in front. */
export async function doubtsOf(configuration: Configuration): Promise<string[]> {
  const { file, gate, relay } = configuration;
  const doubts: string[] = [];
  if (relay.user !== undefined && findUser(relay.user) === undefined) {
    doubts.push(`${file}: relay.user: there is no user "${relay.user}" on this machine`);
  }
  for (const [index, { hosts, proof, client_certificates: certificates }] of gate.relay.entries()) {
    const at = `${file}: gate.relay[${index}]`;
    if (proof?.header?.some((header) => header.endsWith(PUBLISHED_SECRET)) === true) {
      doubts.push(`${at}.proof.header: the secret is that of the example`);
    }
    if (proof === undefined && certificates === undefined && isShared(hosts, configuration.hosts)) {
      doubts.push(
        `${at}: has no proof, so whoever else sends through these hosts may relay as you`,
      );
    }
  }
  doubts.push(...doubtsOfOrder(configuration));
  const domains = [...domainTexts(configuration)];
  const localParts = [...localPartTexts(configuration)];
  for (const written of lookedUp([...domains, ...localParts])) {
    const path = resolve(configuration.directory, written);
    doubts.push(
      ...(await doubtsOfFile(
        path,
        localParts.some((text) => text.endsWith(written)),
      )),
    );
  }
  return doubts;
}

/** Who names his hosts in an SPF record sends for many. */
function isShared(items: readonly string[], named: Configuration["hosts"]): boolean {
  return items.some((item) =>
    item.startsWith("+")
      ? isShared(named.get(item.slice(1)) ?? [], named)
      : item.startsWith("spf:"),
  );
}

function* domainTexts({ domains, gate, routers }: Configuration): Generator<string> {
  for (const items of domains.values()) yield* items;
  yield* gate.local_domains;
  for (const rule of gate.relay) yield* rule.sender_domains ?? [];
  for (const { chain } of routers) {
    yield* chain.domains ?? [];
    yield* chain.sender_domains ?? [];
  }
}

function* localPartTexts({ gate, routers }: Configuration): Generator<string> {
  for (const rule of gate.relay) yield* rule.sender_local_parts ?? [];
  for (const { chain } of routers) {
    yield* chain.local_parts ?? [];
    yield* chain.sender_local_parts ?? [];
  }
}

/** The files, each once. */
function lookedUp(texts: readonly string[]): ReadonlySet<string> {
  return new Set(texts.flatMap((text) => /^!?lsearch:(.*)$/s.exec(text)?.[1] ?? []));
}

async function doubtsOfFile(path: string, ofLocalParts: boolean): Promise<string[]> {
  const { content } = await readList(path);
  if (!("text" in content)) {
    const error = "error" in content ? content.error : content.unsound;
    const why = error.replace(/, \w+ '.*'$/, "");
    return [`${path}: mail is put off until this can be read: ${why}`];
  }
  const table = await parseLsearch(content.text, asWritten);
  if (table.size === 0) return [`${path}: is empty: nobody is in it`];
  const doubts: string[] = [];
  for (const [key, value] of table) {
    const doubt = doubtOfEntry(key, value, ofLocalParts);
    if (doubt === undefined) continue;
    if (doubts.length === NAMED_MAX) return [...doubts, `${path}: and more of that kind`];
    doubts.push(`${path}: "${key}": ${doubt}`);
  }
  return doubts;
}

function doubtOfEntry(key: string, value: string, ofLocalParts: boolean): string | undefined {
  if (ofLocalParts && key.includes("@")) return "is an address; a local part is wanted";
  if (/^#|\s#/.test(value)) return "has a comment behind it, which needs a line of its own";
  if (!/[\s,@]/.test(value)) return undefined;
  return `has its copies under the name of "${value}", which is no local part`;
}
