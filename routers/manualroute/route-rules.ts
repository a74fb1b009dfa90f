// The rules of a route_list: domains and their hosts, one rule a text, as in Exim:
//
//   "*.example.com   mx1.example.com, mx2.example.com:587   randomize"
// Hosts are separated by commas, because a colon comes before a port. "host/MX" means the mail exchangers of the host.

import { given } from "../../src/base/given.ts";
import type { Host } from "../../src/mail/host.ts";
import { list, type Option, suggestion } from "../../src/options/options.ts";
import { domainItemProblem } from "../../src/options/list-types.ts";
import { parseNextHop } from "../../src/options/next-hops.ts";

export interface RouteHost extends Host {
  /** True: the MX records of the host name the hosts. */
  readonly mx?: true;
}

export interface RouteRule {
  /** One item of a list of domains. */
  readonly domains: string;
  readonly hosts: readonly RouteHost[];
  /** Whether the order of the hosts is random; absent: `hosts_randomize` of the router decides. */
  readonly randomize?: boolean;
}

type Parsed = { readonly rule: RouteRule } | { readonly wrong: string };

const SHAPE = /^(\S+)\s+([^\s,]+(?:\s*,\s*[^\s,]+)*)((?:\s+[^\s,]+)*)$/;
const WORDS = ["randomize", "no_randomize", "byname"] as const;

function parseRule(written: string): Parsed {
  const [, domains = "", hostsText = "", wordsText = ""] = SHAPE.exec(written.trim()) ?? [];
  if (domains === "")
    return { wrong: 'must read like "*.example.com  mx1.example.com, mx2.example.com"' };
  const wrong = domainItemProblem(domains);
  if (wrong !== undefined) return { wrong: `${JSON.stringify(domains)} ${wrong}` };
  const hosts: RouteHost[] = [];
  for (const text of hostsText.split(",").map((one) => one.trim())) {
    const host = parseHost(text);
    if (host === undefined) {
      return {
        wrong: `${JSON.stringify(text)} must be "host", "host:port", "[v6]:port" or "host/MX"`,
      };
    }
    hosts.push(host);
  }
  const words = wordsText.split(/\s+/).filter((word) => word !== "");
  const unknown = words.find((word) => !WORDS.some((known) => known === word));
  if (unknown !== undefined) {
    const hint = suggestion(unknown, WORDS) || `; there are ${WORDS.join(", ")}`;
    return { wrong: `${JSON.stringify(unknown)} is not an option of a rule${hint}` };
  }
  const order = words.findLast((word) => word !== "byname");
  const randomize = given({ randomize: order === undefined ? undefined : order === "randomize" });
  return { rule: { domains, hosts, ...randomize } };
}

function parseHost(written: string): RouteHost | undefined {
  const [, name, port = ""] = /^([^/]+)\/MX(:\d+)?$/i.exec(written) ?? [];
  if (name === undefined) return parseNextHop(written);
  const host = parseNextHop(name + port);
  // An address has no MX records.
  return host === undefined || host.addresses !== undefined ? undefined : { ...host, mx: true };
}

function ruleProblem(written: string): string | undefined {
  const parsed = parseRule(written);
  return "wrong" in parsed ? parsed.wrong : undefined;
}

/** The option for a list of at least one rule; one text counts as a list. */
export function routeRules(doc: string): Option<readonly RouteRule[]> {
  const reference = {
    type: "list of route rules",
    refersTo: "domains",
    lookups: "names",
  } as const;
  const written = list(doc, ruleProblem, reference);
  return {
    ...reference,
    itemOf: (text) => SHAPE.exec(text.trim())?.[1] ?? "",
    doc,
    required: true,
    read(value, path, problems) {
      const texts = written.read(value, path, problems);
      if (Array.isArray(value) && value.length === 0) {
        problems.push({ path, message: "has no rule" });
      }
      return texts?.map(parseRule).flatMap((parsed) => ("rule" in parsed ? [parsed.rule] : []));
    },
  };
}
