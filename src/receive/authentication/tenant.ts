// Decides whether a message shows by its DKIM signatures that it comes from our tenant. All Google tenants share the
// same addresses, so only this keeps another tenant from sending through us to the world.
//
// Invariants:
// - Only a signature passes that covers the whole body, From and the fields that readers see. It must be by the
//   domain of the only author, and this domain must be ours.
// - A missing answer of the DNS is neither yes nor no.

import type { DomainList } from "../../lists/lists.ts";
import { parseDomain } from "../../mail/address.ts";
import type { Examined } from "./authentication.ts";
import { ADDED_LATER, type HeaderShape, ONLY_ONCE } from "./header-shape.ts";
import type { Signature } from "./mailauth.ts";

export type TenantVerdict =
  | { readonly kind: "proven" }
  /** `why` may be shown to the client. */
  | { readonly kind: "unproven" | "unknown"; readonly why: string };

/** Fields that readers see, or that direct their replies. If they exist, the signature must cover them. */
const SEEN = ["from", "date", "subject", "to", "cc", "reply-to", ...ADDED_LATER];

export async function judgeTenant(
  { shape, author, signatures, unfit }: Examined,
  ours: DomainList,
): Promise<TenantVerdict> {
  const repeated = ONLY_ONCE.find((name) => count(shape, name) > 1);
  if (repeated !== undefined) return unproven(`more than one ${repeated} field`);
  const [domain, ...others] = author.domains;
  const isClear = author.exact && shape.wellFormed;
  if (!isClear || others.length > 0 || domain === undefined) {
    return unproven("its author cannot be told for certain");
  }
  if (unfit) return unproven("too large a header section, or no DKIM signature in it that is one");

  let verdict = unproven(`no DKIM signature of ${domain}`);
  for (const signature of signatures) {
    const whose = await standsFor(signature, domain, ours);
    if (whose === "stranger") continue;
    if (whose === "unknown") {
      verdict = { kind: "unknown", why: "the list of our domains cannot be read now" };
      continue;
    }
    const flaw = whose === "ambiguous" ? AMBIGUOUS : flawOf(signature, shape);
    if (flaw === undefined) return { kind: "proven" };
    if (whose === "ours" && signature.result === "temperror") {
      verdict = { kind: "unknown", why: `no answer from the DNS about the key of ${domain}` };
    } else if (verdict.kind === "unproven") {
      verdict = unproven(`the DKIM signature of ${domain}: ${flaw}`);
    }
  }
  return verdict;
}

function unproven(why: string): TenantVerdict {
  return { kind: "unproven", why };
}

const AMBIGUOUS =
  "Google's own one does not tell a dot from a hyphen, so it needs a key of the domain";

/** Google signs as "example-com.20230601.gappssmtp.com" for a tenant without a key of its own. */
const GOOGLE_DEFAULT = /^([a-z0-9-]+)\.\d{8}\.gappssmtp\.com$/;

/** Whether the signature is by the author's domain, and this domain is ours. */
async function standsFor(
  signature: Signature,
  author: string,
  ours: DomainList,
): Promise<"ours" | "stranger" | "ambiguous" | "unknown"> {
  const signer = signature.domain.toLowerCase();
  const [, hyphenated] = GOOGLE_DEFAULT.exec(signer) ?? [];
  const isDefault = hyphenated !== undefined && hyphenated === author.replaceAll(".", "-");
  const isOwn = author === signer || author.endsWith(`.${signer}`);
  if (parseDomain(signer) !== signer || !(isOwn || isDefault)) return "stranger";
  const { kind } = await ours.match(isDefault ? author : signer);
  if (kind !== "in") return kind === "defer" ? "unknown" : "stranger";
  // example.co.uk and example-co.uk have the same hyphenated form, and so have my-example.com and my.example.com.
  return isDefault && !/^[a-z0-9]+\.[a-z0-9]+$/.test(author) ? "ambiguous" : "ours";
}

/** Why the signature is not a proof, even if it is valid; undefined if it is one. */
function flawOf(signature: Signature, shape: HeaderShape): string | undefined {
  const { result, why, partial, testing, covered } = signature;
  if (result !== "pass") return why === "" ? result : why;
  if (partial) return "it covers only a part of the body";
  if (testing) return "its key is for tests only";
  const uncovered = SEEN.find((name) => count(shape, name) > 0 && !covered.has(name));
  return uncovered === undefined ? undefined : `it does not cover ${uncovered}`;
}

function count({ counts }: HeaderShape, name: string): number {
  return counts.get(name) ?? 0;
}
