// A finding of the doctor: what a check has seen, and the advice.

/** The names of the checks, in the order of the report. */
export const CHECKS = [
  "dns",
  "tls",
  "reach",
  "lists",
  "accounts",
  "disk",
  "clock",
  "queue",
  "flow",
  "relay",
  "google",
] as const;

export type CheckName = (typeof CHECKS)[number];

export type Result = "ok" | "warn" | "fail" | "skipped";

export interface Finding {
  readonly result: Result;
  /** One clause without a full stop. */
  readonly found: string;
  /** One or two sentences about the setting to change; "" if there is nothing to do. */
  readonly advice: string;
}

export function ok(found: string): Finding {
  return { result: "ok", found, advice: "" };
}

export function warning(found: string, advice: string): Finding {
  return { result: "warn", found, advice };
}

export function failure(found: string, advice: string): Finding {
  return { result: "fail", found, advice };
}

/** A check that cannot be made, and why. */
export function skipped(found: string, advice = ""): Finding {
  return { result: "skipped", found, advice };
}
