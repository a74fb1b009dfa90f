// relayctl archive verify. It reads the Maildirs and the chains itself, also beside a running archive: its work is long,
// and needs nothing of the archive's process.

import { resolve } from "node:path";
import { askSocket, NoArchive } from "../../../archive/archive.ts";
import { systemClock } from "../../../base/clock.ts";
import { errorCode } from "../../../base/error-code.ts";
import { cannotRead } from "../../../base/file-errors.ts";
import { printable } from "../../../base/printable.ts";
import { type Colour, folded, paint, print, printJson } from "../../../base/terminal.ts";
import type { Given } from "../../../contract/command.ts";
import { CommandError, EXIT } from "../../../contract/exit.ts";
import type { CommandMeans } from "../../part.ts";
import { type Finding, isFault } from "../proof/faults.ts";
import { Verification } from "../proof/verification.ts";
import { requireArchive } from "../service/settings.ts";
import { actingUser } from "./acting-user.ts";
import { askArchive } from "./ask.ts";

interface VerifyFlags extends Given {
  readonly account: string | undefined;
  readonly seal: readonly string[] | undefined;
  readonly accept: boolean;
  readonly why: string | undefined;
}

export async function archiveVerify(
  files: readonly string[],
  flags: VerifyFlags,
  means: CommandMeans,
): Promise<number> {
  if (flags.accept) return await accept(files, flags, means);
  if (files.length > 0) throw new CommandError("files are named only with --accept", EXIT.usage);
  if (flags.why !== undefined) throw new CommandError("--why goes with --accept", EXIT.usage);
  const { directory, state, socket } = requireArchive(await means.configuration());
  const account = accountIn(flags.account);
  const seals = sealsIn(flags.seal ?? []);
  const now = systemClock.now();
  await using verification = new Verification({ directory, state, account, seals, now });
  const faults = new Map<Finding["what"], number>();
  try {
    for await (const finding of verification.findings()) {
      if (isFault(finding)) faults.set(finding.what, (faults.get(finding.what) ?? 0) + 1);
      await (flags.json ? printJson(finding) : print(textOf(finding)));
    }
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new CommandError(cannotRead(pathIn(error) ?? state, error), EXIT.noInput);
  }
  if (!flags.json) await print(summaryOf(verification.counts, faults));
  if (account === undefined) await noteVerified(socket, faults);
  return faults.size === 0 ? EXIT.ok : EXIT.notDone;
}

/** For `archive status`. Without a running archive nothing is noted: the command itself changes nothing. */
async function noteVerified(socket: string, faults: ReadonlyMap<string, number>): Promise<void> {
  const count = faults.values().reduce((sum, each) => sum + each, 0);
  try {
    await Array.fromAsync(askSocket(socket, "verified", { faults: count }));
  } catch (error) {
    if (!(error instanceof NoArchive) && !(error instanceof CommandError)) throw error;
  }
}

async function accept(
  files: readonly string[],
  { why, json }: VerifyFlags,
  means: CommandMeans,
): Promise<number> {
  if (files.length === 0) throw new CommandError("--accept needs the files", EXIT.usage);
  if (why === undefined || why.trim() === "") {
    throw new CommandError("--accept needs a reason: --why TEXT", EXIT.usage);
  }
  const paths = files.map((file) => resolve(file));
  for await (const accepted of askArchive(means, "accept", { paths, why, by: actingUser() })) {
    if (json) await printJson(accepted);
    else if ("path" in accepted) await print(`accepted ${printable(String(accepted.path))}\n`);
  }
  return EXIT.ok;
}

function accountIn(written: string | undefined): string | undefined {
  const account = written?.toLowerCase();
  if (account === undefined || /^[^@/]+@[^@/]+$/.test(account)) return account;
  throw new CommandError(`--account: "${written}" is not an address`, EXIT.usage);
}

function sealsIn(written: readonly string[]): string[] {
  return written.map((text) => {
    const hash = text.trim().toLowerCase();
    if (/^[0-9a-f]{64}$/.test(hash)) return hash;
    throw new CommandError(`--seal: "${text}" is not a hash of 64 digits`, EXIT.usage);
  });
}

function pathIn(error: unknown): string | undefined {
  return error instanceof Error && "path" in error ? String(error.path) : undefined;
}

const COLOURS: Readonly<Partial<Record<Finding["what"], Colour>>> = {
  missing: "red",
  changed: "red",
  broken: "red",
  cut: "red",
  unknown: "red",
  unreadable: "red",
};

/** "missing     /var/mail/…", and what it means where the word does not say. */
function textOf(finding: Finding): string {
  const what = paint(COLOURS[finding.what] ?? "dim", finding.what.padEnd(11));
  return `${what} ${printable(finding.path)}${detailsOf(finding)}\n`;
}

function detailsOf(finding: Finding): string {
  const { what } = finding;
  if (what === "broken") {
    if (finding.line === 0) return `\n${INDENT}and more broken lines`;
    return `:${finding.line}\n${INDENT}this line was changed, or a line was added or taken out here`;
  }
  if (what === "torn") {
    return `:${finding.line}\n${INDENT}a line was cut off by a crash or a full disk; it never counted`;
  }
  if (what !== "cut") return "";
  return `\n${INDENT}has no line with the hash of the seal\n${INDENT}${finding.hash}`;
}

const INDENT = " ".repeat(12);

function summaryOf(
  { files, byWalk, moved, lines }: Verification["counts"],
  faults: ReadonlyMap<string, number>,
): string {
  const sentences = [
    `${counted(files, "file")} compared with ${counted(lines, "line")} of manifest and audit log.`,
  ];
  if (moved > 0) sentences.push(`${counted(moved, "file")} moved to another folder.`);
  if (byWalk > 0) {
    sentences.push(
      `${counted(byWalk, "file")} came by the walk: they are as the walk found them, and no delivery vouches for them.`,
    );
  }
  const found = [...faults].map(([what, count]) => `${count} ${what}`).join(", ");
  const end =
    faults.size === 0 ? paint("green", "All is right.") : paint("red", `Faults: ${found}.`);
  return `${sentences.flatMap((sentence) => folded(sentence, 0)).join("\n")}\n${end}\n`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
