// relayctl completion: prints a script for the shell, which completes commands, flags and the values of flags.

import { print } from "../base/terminal.ts";
import type { Command } from "../contract/command.ts";
import { CommandError, EXIT } from "../contract/exit.ts";
import { type CommandFlag, flagsOf } from "./flags.ts";

export const SHELLS = ["bash", "zsh"] as const;

export interface CompletionTable {
  readonly commands: readonly Command[];
  /** The flags of every command. */
  readonly flags: readonly CommandFlag[];
}

export async function completionCommand(shell: string, table: CompletionTable): Promise<number> {
  if (!SHELLS.some((known) => known === shell)) {
    throw new CommandError(
      `"${shell}" is no shell that is known here: ${SHELLS.join(" or ")}`,
      EXIT.usage,
    );
  }
  const zsh = "autoload -U +X bashcompinit && bashcompinit\n";
  await print(`${shell === "zsh" ? zsh : ""}${bashScript(table)}`);
  return EXIT.ok;
}

/** Flags and their values before the cursor are skipped. The remaining words name the command. */
function bashScript({ commands, flags }: CompletionTable): string {
  const all = [...flags, ...commands.flatMap(flagsIn)];
  const withValue = new Set(all.filter(({ isSwitch }) => !isSwitch).map(({ name }) => name));
  const files = all.filter(({ option }) => option.isPath === true).map(({ name }) => name);
  const choices = new Map(
    all.flatMap(({ name, option }) => (option.words ? [[name, option.words]] : [])),
  );
  return `# Completion of relayctl for bash: source it, or put it into /etc/bash_completion.d.
_relayctl() {
  local cur=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} words="" skip="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ -n "$skip" ]; then skip=""; continue; fi
    case $word in
      ${[...withValue].join("|")}) skip=1 ;;
      -*) ;;
      *) words+="$word " ;;
    esac
  done
  case $before in
    ${[...new Set(files)].join("|")}) COMPREPLY=($(compgen -f -- "$cur")); return ;;
${[...choices].map(([name, words]) => `    ${name}) COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$cur")); return ;;\n`).join("")}    ${[...withValue].join("|")}) COMPREPLY=(); return ;;
  esac
  case $words in
${casesOf(commands, flags)}  esac
}
complete -o filenames -F _relayctl relayctl
`;
}

function flagsIn({ flags }: Command): readonly CommandFlag[] {
  return flags === undefined ? [] : flagsOf(flags);
}

/**
 * The completions for the words before the cursor: after a whole command its flags, after the beginning of one the
 * words that may follow.
 */
function casesOf(commands: readonly Command[], flags: readonly CommandFlag[]): string {
  const global = flags.map(({ name }) => name);
  const whole = commands.map((command) =>
    caseOf(JSON.stringify(`${command.name} `) + "*", [
      ...flagsIn(command).map(({ name }) => name),
      ...global,
    ]),
  );
  const next = new Map<string, Set<string>>();
  for (const { name } of commands) {
    const words = name.split(" ");
    for (const [index, word] of words.entries()) {
      const before = words
        .slice(0, index)
        .map((one) => `${one} `)
        .join("");
      next.set(before, (next.get(before) ?? new Set()).add(word));
    }
  }
  const begun = [...next].map(([before, words]) =>
    caseOf(JSON.stringify(before), [...words, ...global]),
  );
  return [...whole, ...begun].join("");
}

function caseOf(pattern: string, words: readonly string[]): string {
  return `    ${pattern}) COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$cur")) ;;\n`;
}
