// Checks what a router answers. A third party's driver may not be type-checked, and may return anything.
//
// Invariant: only a whole decision counts, with replies of the class that its kind has. So a driver's bug delays mail,
// and is no reason to refuse, bounce or lose it.

import type { Decision } from "../contract/contract.ts";
import { isStatus } from "../mail/status.ts";

/** Returns the decision. Throws if it is none. */
export function checkedDecision(decision: Decision): Decision {
  if (isDecision(decision)) return decision;
  throw new TypeError(`no decision: ${JSON.stringify(decision)}`);
}

function isDecision(decision: Decision): boolean {
  switch (decision.kind) {
    case "pass":
    case "discard":
      return true;
    case "accept": {
      const { hosts, members, membersLater } = decision;
      return (
        (hosts === undefined || isEach(hosts, isHost)) &&
        (members === undefined || isEach(members, isMailbox)) &&
        (membersLater === undefined || isOf(4, membersLater.status))
      );
    }
    case "redirect":
      return decision.to.length > 0 && isEach(decision.to, isMailbox);
    case "decline": {
      const { status: reply, otherwise } = decision;
      return (
        (reply === undefined || isOf(5, reply)) && (otherwise === undefined || isOf(4, otherwise))
      );
    }
    case "fail":
      return isOf(5, decision.status);
    case "defer":
      return isOf(4, decision.status);
  }
  return false;
}

/** Whether it is a status whose code begins with the digit. */
function isOf(digit: number, value: unknown): boolean {
  return isStatus(value) && Math.trunc(value.code / 100) === digit;
}

function isEach(values: unknown, is: (value: object) => boolean): boolean {
  const isOne = (value: unknown) => typeof value === "object" && value !== null && is(value);
  return Array.isArray(values) && values.every(isOne);
}

function isMailbox(value: object): boolean {
  return ["address", "localPart", "domain"].every((name) => isText(Reflect.get(value, name)));
}

function isHost(value: object): boolean {
  const addresses: unknown = Reflect.get(value, "addresses");
  const areAddresses = Array.isArray(addresses) && addresses.every(isText);
  return isText(Reflect.get(value, "name")) && (addresses === undefined || areAddresses);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}
