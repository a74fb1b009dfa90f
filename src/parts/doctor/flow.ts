// Whether mail flows: the last message in, and the last message out. Silence is compared with the longest pause around
// the same hour of the earlier weeks, so that a quiet night or weekend is no finding.

import { HistoryReader } from "../../observe/history/read.ts";
import { ageText } from "../../base/units.ts";
import type { CheckPart, Setup } from "./check.ts";
import { type Finding, ok, skipped, warning } from "./finding.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const WEEK = 7 * 24 * HOUR;
/** Shorter silence is never a finding. */
const LEAST_SILENCE = 30 * MINUTE;
/** How often the usual pause may pass. */
const PATIENCE = 2;
/** Weeks to compare with. */
const WEEKS_MAX = 8;

type Direction = "in" | "out";

/** Parts of the names of the rules that accept such mail. */
const RULES: Readonly<Record<Direction, string>> = { in: "local_domains", out: "gate.relay" };

const ADVICE: Readonly<Record<Direction, string>> = {
  in: "See the checks dns and tls, and whether the firewall still lets port 25 in.",
  out: "See Google's outbound gateway (Gmail > Routing), and relayctl trace of a message that you send.",
};

export function checkFlow(setup: Setup): readonly CheckPart[] {
  return [{ about: "the flow of mail", findings: Promise.try(() => judge(setup)) }];
}

function judge({ configuration, clock }: Setup): readonly Finding[] {
  const { relay, gate } = configuration;
  if (relay.history === 0) {
    return [skipped('no history is kept ([relay] history = "0s"), so the flow is not known')];
  }
  using history = new HistoryReader(relay.spool_directory, () => undefined);
  const directions: Direction[] = gate.relay.length > 0 ? ["in", "out"] : ["in"];
  return directions.map((direction) => flowFinding(direction, history, clock.now()));
}

type Arrivals = Pick<HistoryReader, "arrivals" | "beginning">;

/** `now` in milliseconds since the epoch. */
export function flowFinding(direction: Direction, history: Arrivals, now: number): Finding {
  const last = lastBefore(now, direction, history);
  if (last === undefined) return skipped(`no message ${direction} is in the history`);
  const silence = now - last;
  const found = `last message ${direction}: ${ageText(silence)} ago`;
  const usual = usualPause(direction, history, now);
  if (usual === undefined) return ok(`${found}; the history is too short to say what is usual`);
  const compared = `${found}; the longest pause at this hour of the week is ${ageText(usual)}`;
  const isLong = silence >= Math.max(LEAST_SILENCE, PATIENCE * usual);
  return isLong ? warning(compared, ADVICE[direction]) : ok(compared);
}

/** The longest pause that touches the hours around this time of an earlier week; undefined if no week is known. */
function usualPause(direction: Direction, history: Arrivals, now: number): number | undefined {
  const { beginning = now } = history;
  const pauses: number[] = [];
  for (let week = 1; week <= WEEKS_MAX; week++) {
    const then = now - week * WEEK;
    if (then - HOUR < beginning) break;
    const pause = pauseAround(then, direction, history);
    if (pause !== undefined) pauses.push(pause);
  }
  return pauses.length === 0 ? undefined : Math.max(...pauses);
}

function pauseAround(then: number, direction: Direction, history: Arrivals): number | undefined {
  let before = lastBefore(then - HOUR, direction, history);
  if (before === undefined) return undefined;
  let longest = 0;
  const span = { from: then - HOUR, to: then + WEEK };
  for (const at of history.arrivals(RULES[direction], span, "oldest first")) {
    longest = Math.max(longest, at - before);
    before = at;
    if (at >= then + HOUR) break;
  }
  return longest === 0 ? undefined : longest;
}

function lastBefore(to: number, direction: Direction, history: Arrivals): number | undefined {
  const span = { from: 0, to };
  for (const at of history.arrivals(RULES[direction], span, "newest first")) return at;
  return undefined;
}
