// relayctl init: asks for what it must know, writes the files of a new relay, and prints what comes next.
//
// Invariants: nothing is written before every answer is valid and every place is free. The secret is in routers.toml and
// nowhere else: it is never printed.

import { join, resolve } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { paint, print, printJson } from "../../base/terminal.ts";
import type { Given } from "../../contract/command.ts";
import { CommandError, EXIT } from "../../contract/exit.ts";
import {
  type Answers,
  ownAddresses,
  type Read,
  readAddresses,
  readDomains,
  readHostname,
} from "./answers.ts";
import { certificateFor, filesOf, type NewFile, ownersOf, type Places, planOf } from "./files.ts";
import { carryOut, checkPlan, requireFree } from "./placing.ts";
import { canAsk, Questions, readYes } from "./questions.ts";
import { stepsOf } from "./steps.ts";
import { stepsText, writtenText } from "./text.ts";

export interface InitFlags extends Given {
  readonly domain?: readonly string[] | undefined;
  readonly hostname?: string | undefined;
  readonly address?: readonly string[] | undefined;
  readonly directory: string;
  readonly spool: string;
  readonly mail: string;
  readonly user: string;
  readonly yes: boolean;
}

/** Resolves to the exit code. Throws CommandError with nothing written. */
export async function initCommand(flags: InitFlags): Promise<number> {
  if (flags.config !== undefined) {
    usage("init writes routers.toml into --directory, and does not take --config");
  }
  const places = placesOf(flags);
  const { directory } = places;
  const owners = ownersOf(flags.user);
  requireFree(join(directory, "routers.toml"));
  const answers = await answersOf(flags, directory);
  const pair = await certificateFor(answers.hostname, directory, systemClock.now());
  const steps = stepsOf({ ...answers, directory, isSelfSigned: pair !== undefined });
  const files: readonly NewFile[] = [
    ...filesOf(answers, places, flags.user, pair),
    {
      name: "next-steps.txt",
      meaning: "the steps below, to come back to",
      text: stepsText(steps),
      access: "all",
    },
  ];
  const plan = planOf(places, owners, files);
  checkPlan(plan);
  carryOut(plan);
  const written = files.map(({ name, meaning }) => ({ path: join(directory, name), meaning }));
  if (flags.json) {
    await printJson({ files: written.map(({ path }) => path), steps });
  } else {
    const heading = bold("What comes next, in this order:");
    await print(`${writtenText(written)}\n${heading}\n\n${stepsText(steps, bold)}`);
  }
  return EXIT.ok;
}

function bold(line: string): string {
  return paint("bold", line);
}

function usage(message: string): never {
  throw new CommandError(message, EXIT.usage);
}

function placesOf(flags: InitFlags): Places {
  const places = {
    directory: pathOf("directory", flags.directory),
    spool: pathOf("spool", flags.spool),
    mail: pathOf("mail", flags.mail),
  };
  if (new Set(Object.values(places)).size === 3) return places;
  return usage("--directory, --spool and --mail must be three directories");
}

/** The path is shown in lines of text, so it has no line ends; a brace would begin a placeholder of a Maildir. */
function pathOf(flag: string, text: string): string {
  if (text === "" || /[\p{Cc}\p{Cs}{}]/u.test(text)) {
    usage(`--${flag}: must be a path without braces and control characters`);
  }
  return resolve(text);
}

/** The answers: from the flags and, on a terminal, from the person at it. */
async function answersOf(flags: InitFlags, directory: string): Promise<Answers> {
  const isAsking = canAsk() && !flags.json;
  if (!isAsking) requireFlags(flags);
  using questions = isAsking ? new Questions() : undefined;
  const answerTo = async <T>(
    flag: "domain" | "hostname" | "address",
    question: { readonly text: string; readonly proposal?: string | undefined },
    read: (texts: readonly string[]) => Read<T>,
  ): Promise<T> => {
    const written = flags[flag];
    if (written === undefined && questions !== undefined) {
      return questions.ask({ ...question, read: (line) => read(wordsOf(line)) });
    }
    const value = read([written ?? []].flat());
    return "ok" in value ? value.ok : usage(`--${flag}: ${value.wrong}`);
  };
  const domains = await answerTo("domain", { text: "Mail domain" }, readDomains);
  const hostname = await answerTo(
    "hostname",
    { text: "Name of the relay", proposal: `mx.${domains[0]}` },
    (names) => readHostname(names.join(" "), domains),
  );
  const own = ownAddresses();
  const addresses = await answerTo(
    "address",
    {
      text: "Public addresses of the relay",
      proposal: own.length === 0 ? undefined : own.join(" "),
    },
    readAddresses,
  );
  if (questions !== undefined && !flags.yes) {
    const what = `${domains.join(" ")}, ${hostname}, ${addresses.join(" ")}`;
    const question = { text: `${what}: write the files into ${directory}?`, proposal: "y" };
    if (!(await questions.ask({ ...question, read: readYes }))) {
      throw new CommandError("nothing was written", EXIT.notDone);
    }
  }
  return { domains, hostname, addresses };
}

function requireFlags(flags: InitFlags): void {
  const needed = ["domain", "hostname", "address"] as const;
  const missing = needed.filter((flag) => flags[flag] === undefined).map((flag) => `--${flag}`);
  if (missing.length === 0) return;
  const list = new Intl.ListFormat("en").format(missing);
  usage(`relayctl init: ${list} ${missing.length === 1 ? "is" : "are"} missing`);
}

function wordsOf(line: string): string[] {
  return line.split(/[\s,]+/).filter(Boolean);
}
