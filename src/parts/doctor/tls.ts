// The certificates of the listeners: whether they can be read, their chain, their names and their end.

import type { X509Certificate } from "node:crypto";
import { errorCode } from "../../base/error-code.ts";
import type { CheckPart, Setup } from "./check.ts";
import {
  type OwnCertificate,
  ownCertificates,
  readCertificate,
  readingProblem,
} from "./certificates.ts";
import { failure, type Finding, ok, skipped, warning } from "./finding.ts";

const DAY = 86_400_000;
/** Days before its end at which a certificate is a warning, and a failure. */
const WARN_DAYS = 21;
const FAIL_DAYS = 3;

export function checkTls(setup: Setup): readonly CheckPart[] {
  const certificates = ownCertificates(setup.configuration);
  if (certificates.length === 0) {
    return [{ about: "TLS", findings: Promise.resolve(withoutTls(setup)) }];
  }
  return certificates.map((certificate) => ({
    about: `the certificate ${certificate.file}`,
    findings: judge(certificate, setup),
  }));
}

function withoutTls({ configuration }: Setup): Finding {
  const needs = configuration.gate.relay.findIndex((rule) => rule.require_tls);
  const advice = 'Set tls = "starttls", certificate and private_key in [[listeners]].';
  return needs === -1
    ? warning("no listener offers TLS, so all mail comes in the clear", advice)
    : failure(`no listener offers TLS, and gate.relay[${needs}] takes no mail without it`, advice);
}

async function judge(own: OwnCertificate, setup: Setup): Promise<readonly Finding[]> {
  const { configuration, clock } = setup;
  const { hostname } = configuration.relay;
  let read: Awaited<ReturnType<typeof readCertificate>>;
  try {
    read = await readCertificate(own);
  } catch (error) {
    if (errorCode(error) === "EACCES") {
      return [
        skipped(`${own.file}: this user may not read it or its key`, "The check disk says more."),
      ];
    }
    const advice = `Let the relay's user read ${own.file} and ${own.keyFile}, and see that the key fits the certificate.`;
    return [failure(`${own.file}: it cannot be used: ${readingProblem(error)}`, advice)];
  }
  const { leaf, distrust } = read;
  const findings = [
    endFinding(own.file, leaf, clock.now()),
    ...(isDefault(own, setup) ? nameFinding(own.file, leaf, hostname) : []),
    ...(distrust === undefined ? [] : [chainFinding(own.file, leaf)]),
  ];
  const isGood = findings.every(({ result }) => result === "ok");
  if (!isGood) return findings.filter(({ result }) => result !== "ok");
  const days = Math.floor((Date.parse(leaf.validTo) - clock.now()) / DAY);
  return [ok(`${own.file}: for ${hostname}, from a public authority, valid for ${days} more days`)];
}

/** Whether a client that asks for the relay's name, or for none, may be shown this certificate. */
function isDefault({ file }: OwnCertificate, { configuration }: Setup): boolean {
  return configuration.listeners.some(({ certificate }) => certificate === file);
}

function endFinding(file: string, { validFrom, validTo }: X509Certificate, now: number): Finding {
  const left = (Date.parse(validTo) - now) / DAY;
  const advice = `Renew it, and see that the renewal writes ${file}. The relay reads the new file by itself.`;
  const day = new Date(validTo).toISOString().slice(0, 10);
  if (Date.parse(validFrom) > now) {
    return failure(
      `${file}: it is not valid before ${new Date(validFrom).toISOString()}`,
      "Correct the clock, or use another certificate.",
    );
  }
  if (left <= 0) return failure(`${file}: it has expired on ${day}`, advice);
  if (left <= FAIL_DAYS) return failure(`${file}: it ends in ${daysText(left)}, on ${day}`, advice);
  if (left <= WARN_DAYS) return warning(`${file}: it ends in ${daysText(left)}, on ${day}`, advice);
  return ok(`${file}: valid until ${day}`);
}

function daysText(days: number): string {
  return days < 1 ? "less than a day" : `${Math.floor(days)} ${days < 2 ? "day" : "days"}`;
}

function nameFinding(file: string, leaf: X509Certificate, hostname: string): Finding[] {
  if (leaf.checkHost(hostname) !== undefined) return [];
  const names = leaf.subjectAltName ?? leaf.subject.replaceAll("\n", ", ");
  return [
    failure(
      `${file}: it is for ${names.slice(0, 200)}, and not for ${hostname}`,
      "Use a certificate with the name in [relay] hostname: hosts that check it send nothing else.",
    ),
  ];
}

/** A public authority writes into its certificates where the one of the issuer can be fetched (RFC 5280 4.2.2.1). */
function chainFinding(file: string, leaf: X509Certificate): Finding {
  if (leaf.issuer === leaf.subject) {
    return warning(
      `${file}: it is self-signed, so hosts that check certificates send nothing`,
      "Use one of a public authority, such as Let's Encrypt, before you publish MTA-STS.",
    );
  }
  if (/CA Issuers/.test(leaf.infoAccess ?? "")) {
    return failure(
      `${file}: the chain is incomplete: the certificate of its issuer is missing`,
      "Use the file that has the chain in it (fullchain.pem): hosts that check certificates send nothing else.",
    );
  }
  return warning(
    `${file}: its chain does not lead to a public authority`,
    "Put the certificates of its issuers behind it in the file, or use one of a public authority.",
  );
}
