// SPF, DKIM and DMARC of strangers' mail. The results are written on top of it. With `policy = "enforce"` the mail is
// refused if its author's domain asks for that. Results that others have written in our name are removed.

import { given } from "../../base/given.ts";
import type { Scanner, UnwantedFields } from "../../contract/scanner.ts";
import type { Inbound } from "../authentication/inbound.ts";
import { claimsToBeOurs } from "./own-results.ts";
import { CROWDED_OUT } from "./crowded-out.ts";
import type { Examinations } from "./examinations.ts";

const RESULTS = "authentication-results";

export function authenticationScanner(inbound: Inbound, examinations: Examinations): Scanner {
  const unwanted: UnwantedFields = {
    names: [RESULTS],
    isUnwanted: (field) =>
      field.toLowerCase().startsWith(RESULTS) && claimsToBeOurs(field, inbound.hostname),
  };
  return {
    name: "authentication",
    onError: "pass",
    begin(message) {
      const { client, sender, isLocal, isRelayed } = message;
      if (!isLocal) return undefined;
      if (isRelayed) return { unwanted, mayGo: () => true, end: () => ({ kind: "pass" }) };
      const evaluate = inbound.begin(client, sender);
      const question = examinations.ask(message);
      return {
        unwanted,
        async end() {
          if (question.isCrowdedOut) return CROWDED_OUT;
          const { header, summary, refusal, vouched } = await evaluate(await question.answer());
          if (refusal !== undefined) return { kind: "refuse", status: refusal };
          const shown = { authentication: summary, ...given({ vouched }) };
          return { kind: "tag", fields: header, ...shown };
        },
      };
    },
  };
}
