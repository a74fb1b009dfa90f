// The domain of the bare <postmaster>.

import type { Configuration } from "./configuration.ts";

/** The first local domain that is written out. Mail for the bare <postmaster> goes to its postmaster. */
export function firstLocalDomain({ gate, domains }: Configuration): string | undefined {
  const items = gate.local_domains.flatMap((item) =>
    item.startsWith("+") ? (domains.get(item.slice(1)) ?? []) : [item],
  );
  return items.find((item) => /^[a-z0-9.-]+$/i.test(item));
}
