// The rule by which a message goes for its age.

import type { RetentionOptions } from "./options.ts";

/** What the rules look at. */
interface Aged {
  readonly account: string;
  readonly folder: string;
  /** ms since the epoch. */
  readonly deliveredAt: number;
}

interface AgeRule {
  /** "keep 10y", "rules[0]: keep 3y", as the postmaster finds it in the file. */
  readonly name: string;
  /** ms. */
  readonly keep: number;
  matches(message: Aged): boolean;
}

export class AgeRules {
  readonly #rules: readonly AgeRule[];
  /** The shortest age by which any message goes, in ms; infinite without rules. */
  readonly shortest: number;

  constructor({ keep, rules }: Pick<RetentionOptions, "keep" | "rules">) {
    const own = rules.map((rule, index) => ruleOf(rule, index));
    const rest = keep === undefined ? [] : [{ name: "keep", keep, matches: () => true }];
    this.#rules = [...own, ...rest];
    this.shortest = Math.min(Infinity, ...this.#rules.map((rule) => rule.keep));
  }

  /** The rule that decides about the message's age, and the time at which it goes; undefined if no age ends it. */
  endOf(message: Aged): { readonly rule: string; readonly at: number } | undefined {
    const rule = this.#rules.find((each) => each.matches(message));
    return rule && { rule: rule.name, at: message.deliveredAt + rule.keep };
  }
}

function ruleOf(
  { account, folder, keep }: RetentionOptions["rules"][number],
  index: number,
): AgeRule {
  const accounts = patternOf(account ?? "*");
  const folders = patternOf(folder ?? "*");
  return {
    name: `rules[${index}]`,
    keep,
    matches: (message) => accounts.test(message.account) && folders.test(message.folder),
  };
}

/** "*" is any text; capitals count as small letters. */
function patternOf(written: string): RegExp {
  const parts = written.split("*").map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join(".*")}$`, "isu");
}
