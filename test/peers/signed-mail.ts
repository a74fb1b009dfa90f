// Real mail under signatures: nodemailer signs it, mailauth verifies what arrived. So the signature is made and judged
// by two others, and not by us.

import { generateKeyPairSync } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import DKIM from "nodemailer/lib/dkim";
import { withHeader } from "../../demo/letters.ts";
import { type Mail, realMail } from "./mail.ts";

const DOMAIN = "example.org";
const SELECTOR = "peers";

export interface SignedMail {
  readonly mails: readonly Mail[];
  /** The results that are not "pass", of the messages that arrived. */
  readonly failures: (arrived: readonly Buffer[]) => Promise<string[]>;
}

/** So many deliveries show what one would hide. */
const LEAST = 60;

/** All the real mail there is, over and over until it is enough; no two messages are the same. */
export async function signedMail(): Promise<SignedMail> {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "der" },
  });
  const record = `v=DKIM1; k=rsa; p=${publicKey.toString("base64")}`;
  const signer = new DKIM({ domainName: DOMAIN, keySelector: SELECTOR, privateKey });
  const real = realMail();
  const copies = Array.from({ length: Math.ceil(LEAST / real.length) }, () => real).flat();
  const mails = await Promise.all(
    copies.map(async ({ name, bytes }, index) => ({
      name: `${index + 1} ${name}`,
      bytes: await buffer(signer.sign(withHeader(`X-Number: ${index + 1}`, bytes))),
    })),
  );
  const resolver = (name: string) =>
    name === `${SELECTOR}._domainkey.${DOMAIN}`
      ? Promise.resolve([[record]])
      : Promise.reject(Object.assign(new Error(name), { code: "ENOTFOUND" }));
  return {
    mails,
    failures: async (arrived) => {
      const verdicts = await Promise.all(
        arrived.map(async (raw) => {
          const { results } = await dkimVerify(raw, { resolver });
          const ours = results.find(({ signingDomain }) => signingDomain === DOMAIN);
          return ours === undefined ? "none" : `${ours.status.result} ${ours.info ?? ""}`;
        }),
      );
      return verdicts.filter((verdict) => !verdict.startsWith("pass"));
    },
  };
}
