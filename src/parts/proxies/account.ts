// How a login becomes an account.
//
// Invariant: an account is lower case, and has one domain at most. Whether its parts are safe in a path is decided where
// a path is made.

/** The account that a login leads to. */
export interface ProxyAccount {
  /** "alice@example.com", or "alice" if there is no domain. */
  readonly account: string;
  readonly localPart: string;
  readonly domain?: string;
}

const PLACEHOLDER = /\{([^{}]*)\}/g;
const NAMES = new Set(["user", "user_local_part", "user_domain"]);

export function isAccountTemplate(written: string): boolean {
  const names = Array.from(written.matchAll(PLACEHOLDER), ([, name = ""]) => name);
  const rest = written.replaceAll(PLACEHOLDER, "");
  return names.length > 0 && names.every((name) => NAMES.has(name)) && !/[{}]/.test(rest);
}

/** Undefined if the template asks for a domain and the login has none. */
export function accountOf(
  login: string,
  { account: template, default_domain: domain }: AccountOptions,
): ProxyAccount | undefined {
  const user = split(login.includes("@") || domain === undefined ? login : `${login}@${domain}`);
  let isWhole = true;
  const account = template
    .replaceAll(PLACEHOLDER, (_, name: string) => {
      if (name === "user") return user.account;
      const value = name === "user_domain" ? user.domain : user.localPart;
      isWhole &&= value !== undefined;
      return value ?? "";
    })
    .toLowerCase();
  return isWhole ? split(account) : undefined;
}

interface AccountOptions {
  readonly account: string;
  readonly default_domain?: string | undefined;
}

function split(account: string): ProxyAccount {
  const at = account.lastIndexOf("@");
  if (at === -1) return { account, localPart: account };
  return { account, localPart: account.slice(0, at), domain: account.slice(at + 1) };
}
