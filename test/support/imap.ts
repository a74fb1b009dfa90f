// An IMAP server for tests: it serves the Maildirs of a relay to the users of its users file, as Dovecot would. It knows
// just enough for a client that logs in, searches by subject and fetches.

import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { isArgon2Of, parseArgon2 } from "../../src/users/argon2.ts";
import { readUsers } from "../../src/users/users.ts";

export interface ImapOptions {
  /** The directory of the relay: users, and mail/DOMAIN/LOCAL-PART. */
  readonly directory: () => string;
  readonly port?: number;
  /** Changes what a copy is served as. */
  readonly serve?: (copy: Buffer) => Buffer;
  /** Called with each command; while it has not resolved, the client waits. */
  readonly before?: (command: string) => Promise<void> | void;
}

export interface Imap extends AsyncDisposable {
  readonly port: number;
  /** The names of all users that have logged in. */
  readonly logins: readonly string[];
}

export async function startImap(options: ImapOptions): Promise<Imap> {
  const logins: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    // A client that is killed resets its connection.
    serve(socket, options, logins).catch(() => socket.destroy());
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  // oxlint-disable-next-line no-unsafe-type-assertion -- a server on a port has such an address
  const { port } = server.address() as AddressInfo;
  return {
    port,
    logins,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function serve(socket: Socket, options: ImapOptions, logins: string[]): Promise<void> {
  const say = (...lines: readonly (string | Buffer)[]) => {
    for (const line of lines) socket.write(Buffer.concat([Buffer.from(line), Buffer.from("\r\n")]));
  };
  say("* OK [CAPABILITY IMAP4rev1] ready");
  let user = "";
  let folder = "";
  let rest = "";
  for await (const piece of socket) {
    rest += String(piece);
    for (let end = rest.indexOf("\r\n"); end !== -1; end = rest.indexOf("\r\n")) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 2);
      const [, tag = "", verb = "", argument = ""] =
        /^(\S+) ((?:UID )?\S+) ?(.*)$/.exec(line) ?? [];
      await options.before?.(verb);
      const words = [...argument.matchAll(/"([^"]*)"|(\S+)/g)].map(([, a, b]) => a ?? b ?? "");
      switch (verb) {
        case "CAPABILITY":
          say("* CAPABILITY IMAP4rev1", `${tag} OK done`);
          break;
        case "LOGIN":
          if (await isRight(options.directory(), words)) {
            [user = ""] = words;
            logins.push(user);
            say(`${tag} OK logged in`);
          } else say(`${tag} NO [AUTHENTICATIONFAILED] Authentication failed.`);
          break;
        case "LIST":
          say(`* LIST () "/" "${words.at(-1)}"`, `${tag} OK done`);
          break;
        case "EXAMINE": {
          folder = words[0] ?? "";
          const { length } = await copiesOf(options.directory(), user, folder);
          say(`* ${length} EXISTS`, "* OK [UIDVALIDITY 1] ok", "* OK [UIDNEXT 1000] ok");
          say(`${tag} OK [READ-ONLY] done`);
          break;
        }
        case "SEARCH": {
          const copies = await copiesOf(options.directory(), user, folder);
          const subject = `\nSubject: ${words.at(-1)}\n`;
          const found = copies.flatMap((copy, index) => (copy.includes(subject) ? index + 1 : []));
          say(["* SEARCH", ...found].join(" "), `${tag} OK done`);
          break;
        }
        case "FETCH": {
          const copy = (await copiesOf(options.directory(), user, folder))[Number(words[0]) - 1];
          const octets = Buffer.from((copy ?? "").toString().replaceAll("\n", "\r\n"), "latin1");
          const served = options.serve?.(octets) ?? octets;
          say(
            Buffer.concat([
              Buffer.from(`* ${words[0]} FETCH (UID ${words[0]} BODY[] {${served.length}}\r\n`),
              served,
              Buffer.from(")"),
            ]),
            `${tag} OK done`,
          );
          break;
        }
        case "LOGOUT":
          say("* BYE", `${tag} OK done`);
          socket.end();
          break;
        default:
          say(`${tag} BAD not known: ${verb}`);
      }
    }
  }
}

async function isRight(directory: string, [user = "", password = ""]: readonly string[]) {
  const users = await readUsers(join(directory, "users"));
  const hash = parseArgon2(users.find(user)?.password.replace(/^\{\w+\}/, "") ?? "");
  return hash !== undefined && isArgon2Of(hash, password);
}

async function copiesOf(directory: string, user: string, folder: string): Promise<Buffer[]> {
  const [localPart = "", domain = ""] = user.split("@");
  const own = folder.toUpperCase() === "INBOX" ? "" : `.${folder}`;
  const path = join(directory, "mail", domain, localPart, own, "new");
  const names = await readdir(path).catch(() => []);
  return Promise.all(
    names.toSorted((a, b) => (a < b ? -1 : 1)).map((name) => readFile(join(path, name))),
  );
}
