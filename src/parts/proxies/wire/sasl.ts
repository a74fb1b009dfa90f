// What a SASL exchange says about its user (RFC 4616, RFC 7628). The proxy passes the exchange on as it came, and reads
// it only to know the account.

export interface Credentials {
  readonly user: string;
  readonly password: string;
  /** A second identity to act as; absent if it is the user's own. */
  readonly authorization?: string;
}

/** The octets of one base64 line; undefined if it is not base64. */
export function decoded(line: string): Buffer | undefined {
  const bare = line.trim();
  if (bare === "=" || bare === "") return Buffer.alloc(0);
  return /^[A-Za-z0-9+/]+={0,2}$/.test(bare) ? Buffer.from(bare, "base64") : undefined;
}

/** The credentials of PLAIN; undefined if the message is not one. Text is UTF-8. */
export function plainCredentials(message: Buffer): Credentials | undefined {
  const [authorization, user, password, ...more] = message.toString("utf8").split("\0");
  if (authorization === undefined || user === undefined || password === undefined) return undefined;
  if (more.length > 0 || user === "") return undefined;
  const isOther = authorization !== "" && authorization !== user;
  return { user, password, ...(isOther ? { authorization } : {}) };
}

/**
 * Plays the server of an exchange by PLAIN or LOGIN. `ask` sends a challenge and resolves to the client's answer.
 * "unknown" for another mechanism; undefined if the client's messages are no credentials.
 */
export async function exchanged(
  mechanism: string,
  initial: string | undefined,
  ask: (challenge: string) => Promise<Buffer | undefined>,
): Promise<Credentials | "unknown" | undefined> {
  const first = (challenge: string) =>
    initial === undefined ? ask(challenge) : Promise.resolve(decoded(initial));
  if (mechanism.toUpperCase() === "PLAIN") {
    const message = await first("");
    return message && plainCredentials(message);
  }
  if (mechanism.toUpperCase() !== "LOGIN") return "unknown";
  const user = await first(base64("Username:"));
  const password = user && (await ask(base64("Password:")));
  if (user === undefined || password === undefined) return undefined;
  return { user: user.toString("utf8"), password: password.toString("utf8") };
}

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

export function plainMessage({ authorization = "", user, password }: Credentials): string {
  return base64(`${authorization}\0${user}\0${password}`);
}

/** The user that the client's messages of one exchange name; undefined if they name none. */
export function userOf(mechanism: string, messages: readonly Buffer[]): string | undefined {
  const [first = Buffer.alloc(0)] = messages;
  switch (mechanism) {
    case "PLAIN": {
      const plain = plainCredentials(first);
      return plain?.authorization ?? plain?.user;
    }
    case "LOGIN":
      return first.length === 0 ? undefined : first.toString("utf8");
    case "XOAUTH2":
      return first
        .toString("utf8")
        .split("\u0001")
        .find((part) => part.startsWith("user="))
        ?.slice(5);
    case "OAUTHBEARER": {
      const name = /^[ny],a=([^,]*),/.exec(first.toString("utf8"))?.[1];
      return name?.replaceAll("=2C", ",").replaceAll("=3D", "=");
    }
    default:
      return undefined;
  }
}
