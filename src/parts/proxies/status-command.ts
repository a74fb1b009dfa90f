// relayctl proxies status.

import { request } from "node:http";
import { text } from "node:stream/consumers";
import { isTable } from "../../base/table.ts";
import { printable } from "../../base/printable.ts";
import { print, printJson } from "../../base/terminal.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import { describeError } from "../../observe/log.ts";
import type { CommandMeans } from "../part.ts";
import type { ProxyStatus } from "./server.ts";
import { type AccountStatus, socketOf, type Status } from "./status.ts";

export async function proxiesStatus({ json }: Given, means: CommandMeans): Promise<number> {
  const { file, parts, relay } = await means.configuration();
  const tables = parts["proxies"];
  if (!Array.isArray(tables) || tables.length === 0) {
    throw new CommandError(`${file}: there is no [[proxies]]`, EXIT.configuration);
  }
  const status = await asked(socketOf(relay.spool_directory));
  if (json) await printJson(status);
  else await print(shown(status));
  return EXIT.ok;
}

async function asked(socketPath: string): Promise<Status> {
  let answer: unknown;
  try {
    answer = JSON.parse(await get(socketPath));
  } catch (error) {
    const what = `no process of the proxies answers on ${socketPath}: ${describeError(error)}`;
    throw new CommandError(what, EXIT.unavailable);
  }
  if (!isStatus(answer)) {
    throw new CommandError(`the answer on ${socketPath} is no status`, EXIT.unavailable);
  }
  return answer;
}

function get(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: "/" }, (response) => {
      text(response).then(resolve, reject);
    })
      .on("error", reject)
      .end();
  });
}

/** The process at the socket is of this program. */
function isStatus(answer: unknown): answer is Status {
  return isTable(answer) && Array.isArray(answer["proxies"]) && Array.isArray(answer["accounts"]);
}

function shown({ proxies, accounts }: Status): string {
  const tables = [proxyTable(proxies)];
  if (accounts.length > 0) tables.push(accountTable(accounts));
  const failures = accounts.flatMap(({ account, last_failure: failure }) =>
    failure === undefined
      ? []
      : [`${printable(account)}: not kept at ${failure.at}: ${printable(failure.why)}\n`],
  );
  return [...tables, ...(failures.length > 0 ? [failures.join("")] : [])].join("\n");
}

function proxyTable(proxies: readonly ProxyStatus[]): string {
  const rows = proxies.map((one) => [
    one.proxy,
    one.protocol,
    one.address,
    String(one.sessions),
    String(one.logged_in),
  ]);
  return table([["proxy", "protocol", "address", "sessions", "logged in"], ...rows], 3);
}

function accountTable(accounts: readonly AccountStatus[]): string {
  const rows = accounts.map((one) => [
    one.account,
    String(one.sessions),
    String(one.kept),
    String(one.new),
    String(one.known),
    String(one.failed),
  ]);
  return table([["account", "sessions", "kept", "new", "known", "failed"], ...rows], 1);
}

/** Columns from `numbers` on are aligned to the right. */
function table(rows: readonly (readonly string[])[], numbers: number): string {
  const safe = rows.map((row) => row.map(printable));
  const widths = (safe[0] ?? []).map((_, at) =>
    Math.max(...safe.map((row) => (row[at] ?? "").length)),
  );
  return safe
    .map((row) =>
      row
        .map((cell, at) =>
          at < numbers ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
