// Warnings about the order of routers and about their transports: valid settings by which mail gets no copy or goes
// nowhere, and which are probably a mistake.

import type { Configuration, RouterConfiguration } from "./configuration.ts";
import { isTable } from "../base/table.ts";

/** Drivers that accept everything that their preconditions let through. */
const TAKES_ALL: ReadonlySet<string> = new Set([
  "accept",
  "unseen-copy",
  "sender-match",
  "dnslookup",
  "manualroute",
]);

/** Returns one clause for each warning, with its place in front. */
export function orderWarnings(configuration: Configuration): string[] {
  const { file, routers } = configuration;
  const lists = new Lists(configuration);
  return routers.flatMap((router, index) => {
    const at = `${file}: routers[${index}]`;
    if (router.chain.unseen) return [];
    const copy = routers.slice(index + 1).find((later) => hides(router, later, lists));
    return [
      ...(copy === undefined
        ? []
        : [
            `${at}: "${router.name}" takes mail before "${copy.name}" can copy it: put the copy in front`,
          ]),
      ...(keepsForeignMail(router, configuration, lists)
        ? [`${at}: mail for other domains ends in a Maildir here; with unseen = true it goes on`]
        : []),
    ];
  });
}

/**
 * Whether the router takes all the mail that the later router would copy, or all of it for the accounts of a domain.
 */
function hides(router: RouterConfiguration, copy: RouterConfiguration, lists: Lists): boolean {
  const { chain } = router;
  const wanted = copy.chain;
  if (!wanted.unseen || !takesAll(router)) return false;
  if (chain.relayed !== undefined && chain.relayed !== wanted.relayed) return false;
  const taken = lists.of(chain.domains);
  // When the copy is for every domain, one domain may be left out on purpose.
  const isHidden =
    wanted.domains === undefined ? taken.isOpen : taken.meets(lists.of(wanted.domains));
  return (
    isHidden &&
    lists.of(chain.local_parts).holds(lists.of(wanted.local_parts)) &&
    lists.of(chain.sender_domains).holds(lists.of(wanted.sender_domains)) &&
    lists.of(chain.sender_local_parts).holds(lists.of(wanted.sender_local_parts))
  );
}

function takesAll({ driver, options }: RouterConfiguration): boolean {
  if (!TAKES_ALL.has(driver.name)) return false;
  return driver.name !== "manualroute" || optionOf(options, "route") !== undefined;
}

function keepsForeignMail(
  router: RouterConfiguration,
  { gate, transports }: Configuration,
  lists: Lists,
): boolean {
  const transport = transports.get(String(optionOf(router.options, "transport")));
  const isMaildir = transport?.driver.name === "maildir-append";
  // Mail for other domains is accepted by relay rules only.
  const mayCome = gate.relay.length > 0 && router.chain.relayed !== false;
  return (
    isMaildir &&
    mayCome &&
    takesAll(router) &&
    !lists.of(gate.local_domains).holds(lists.of(router.chain.domains))
  );
}

function optionOf(options: unknown, name: string): unknown {
  return isTable(options) ? options[name] : undefined;
}

/** The content of a list, as far as its text shows it. */
class Content {
  readonly items = new Set<string>();
  readonly exceptions = new Set<string>();
  /** The list matches everything but the exceptions. */
  isOpen = false;

  /** Whether everything in `other` is in this list, too. */
  holds(other: Content): boolean {
    const named = [...other.items].every((item) => this.#has(item));
    if (!other.isOpen) return named;
    return this.isOpen && this.exceptions.isSubsetOf(other.exceptions);
  }

  /** Whether anything is in both lists. */
  meets(other: Content): boolean {
    if (this.isOpen && other.isOpen) return true;
    return [...other.items].some((item) => this.#has(item)) || other.#hasAnyOf(this);
  }

  #hasAnyOf({ items }: Content): boolean {
    return [...items].some((item) => this.#has(item));
  }

  #has(item: string): boolean {
    return !this.exceptions.has(item) && (this.isOpen || this.items.has(item));
  }
}

/** The lists of a configuration, with named lists replaced by their items. */
class Lists {
  readonly #named: Configuration["domains"];

  constructor({ domains }: Configuration) {
    this.#named = domains;
  }

  /** `undefined` means everything. */
  of(texts: readonly string[] | undefined): Content {
    const content = new Content();
    content.isOpen = texts === undefined || texts.at(-1)?.startsWith("!") === true;
    for (const text of texts ?? []) this.#add(content, text.toLowerCase());
    return content;
  }

  #add(content: Content, text: string): void {
    const isException = text.startsWith("!");
    const item = isException ? text.slice(1) : text;
    const named = item.startsWith("+") ? this.of(this.#named.get(item.slice(1))) : undefined;
    const items = named?.items ?? [item];
    if (isException) for (const one of items) content.exceptions.add(one);
    else if (item === "*" || named?.isOpen === true) content.isOpen = true;
    else for (const one of items) content.items.add(one);
  }
}
