// Content-Type and Content-Disposition: their value and parameters (RFC 2045 5.1), with continuations and charsets of
// RFC 2231 and the encoded words that many programs write instead.

import { decodeText } from "./charset.ts";
import { fieldText } from "./encoded-words.ts";

export interface Parameterized {
  /** In lower case: "text/plain", "attachment". */
  readonly value: string;
  /** By names in lower case, one character for each octet. */
  readonly octets: ReadonlyMap<string, string>;
  /** Those that state their charset, as text. */
  readonly texts: ReadonlyMap<string, string>;
}

const NONE: ReadonlyMap<string, string> = new Map();
const PARAMETER = /;\s*([^\s=;"]{1,100})\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^;"]*))/g;
const PARAMETERS_MAX = 1000;

/** `field` has one character for each octet. */
export function parseParameters(field: string): Parameterized {
  const semicolon = field.indexOf(";");
  if (semicolon < 0) return { value: field.trim().toLowerCase(), octets: NONE, texts: NONE };
  const value = field.slice(0, semicolon).trim().toLowerCase();
  const octets = new Map<string, string>();
  const texts = new Map<string, string>();
  const sections = new Map<string, Section[]>();
  let count = 0;
  for (const match of field.slice(semicolon).matchAll(PARAMETER)) {
    if (++count > PARAMETERS_MAX) break;
    const name = (match[1] ?? "").toLowerCase();
    const text = match[2]?.replaceAll(/\\(.)/g, "$1") ?? (match[3] ?? "").trim();
    const extended = /^([^*]+)\*(\d{1,4})?(\*?)$/.exec(name);
    if (extended === null) {
      if (!octets.has(name)) octets.set(name, text);
    } else addSection(sections, extended, text);
  }
  for (const [name, list] of sections) {
    const whole = joined(list);
    if (list.some((section) => section.isEncoded)) {
      texts.set(name, decodeText(Buffer.from(whole.octets, "latin1"), whole.charset));
    } else octets.set(name, whole.octets);
  }
  return { value, octets, texts };
}

interface Section {
  readonly number: number;
  readonly isEncoded: boolean;
  readonly text: string;
}

function addSection(sections: Map<string, Section[]>, name: RegExpExecArray, text: string): void {
  const [, base = "", number, star] = name;
  const list = sections.get(base) ?? [];
  list.push({ number: Number(number ?? 0), isEncoded: star === "*" || number === undefined, text });
  sections.set(base, list);
}

/** The sections in their order (RFC 2231 3, 4). */
function joined(sections: Section[]): { readonly charset: string; readonly octets: string } {
  sections.sort((one, other) => one.number - other.number);
  let charset = "";
  let octets = "";
  for (const { number, isEncoded, text } of sections) {
    if (!isEncoded) octets += text;
    else {
      const quoted = number === 0 ? /^([^']*)'[^']*'(.*)$/s.exec(text) : null;
      charset ||= quoted?.[1] ?? "";
      octets += percentDecoded(quoted?.[2] ?? text);
    }
  }
  return { charset, octets };
}

function percentDecoded(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_all, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

/** A parameter as text for people, such as a file name. "" if it is missing. */
export function parameterText(field: Parameterized, name: string, charset = ""): string {
  const text = field.texts.get(name);
  if (text !== undefined) return text.replaceAll(/\p{Cc}+/gu, " ").trim();
  return fieldText(field.octets.get(name) ?? "", charset);
}
