// The text of OOXML and ODF documents: zip archives of XML files.
//
// Invariants: only the entries that hold text are inflated, each as a stream that ends at the limit, whatever size the
// archive claims. Entities that a document defines do not exist here, and archives inside archives are not opened.

import { fromBufferPromise, type Entry, type ZipFile } from "yauzl";
import { decodeText } from "./charset.ts";
import { TEXT_CHARACTERS } from "./limits.ts";
import { markupText, XML } from "./markup.ts";

/** Octets of inflated text that one message may still have. Taken from as entries are read. */
export interface Inflation {
  left: number;
  /** A limit was reached. */
  isCut: boolean;
}

const TEXT_ENTRY =
  /^(?:word\/(?:document|header\d*|footer\d*|footnotes|endnotes|comments)\.xml|xl\/(?:sharedStrings|comments\d*|worksheets\/sheet\d+)\.xml|ppt\/(?:slides\/slide|notesSlides\/notesSlide|comments\/comment)\d+\.xml|content\.xml|styles\.xml)$/;
const ENTRIES_MAX = 5000;

export async function officeText(document: Buffer, inflation: Inflation): Promise<string> {
  const zip = await fromBufferPromise(document, { lazyEntries: true });
  const texts: string[] = [];
  let count = 0;
  for await (const entry of zip.eachEntry()) {
    if (++count > ENTRIES_MAX) inflation.isCut = true;
    if (inflation.isCut) break;
    if (!TEXT_ENTRY.test(entry.fileName)) continue;
    const xml = await entryText(zip, entry, inflation);
    const isSheet = entry.fileName.startsWith("xl/worksheets/");
    texts.push(isSheet ? sheetText(xml) : markupText(xml, XML, TEXT_CHARACTERS));
  }
  return texts.filter((text) => text !== "").join("\n");
}

/** The entry as text, as much of it as the limit allows. */
async function entryText(zip: ZipFile, entry: Entry, inflation: Inflation): Promise<string> {
  const pieces: Buffer[] = [];
  const stream: AsyncIterable<Buffer> = await zip.openReadStreamPromise(entry);
  for await (const octets of stream) {
    pieces.push(octets.subarray(0, inflation.left));
    inflation.left -= octets.length;
    if (inflation.left > 0) continue;
    inflation.left = 0;
    inflation.isCut = true;
    break;
  }
  return decodeText(Buffer.concat(pieces), "utf-8");
}

const CELL = /<c\b([^<>]*)>|<v>([^<]*)<|<t\b[^<>]*>([^<]*)</g;

/** The values of the cells of a sheet, without those that only point to a shared string, and without formulas. */
function sheetText(sheet: string): string {
  const values: string[] = [];
  let isShared = false;
  let length = 0;
  for (const [, attributes, value, inline] of sheet.matchAll(CELL)) {
    if (attributes !== undefined) isShared = attributes.includes('t="s"');
    const text = inline ?? (isShared ? undefined : value);
    if (text === undefined || text === "") continue;
    values.push(XML.decode(text));
    length += text.length + 1;
    if (length > TEXT_CHARACTERS) break;
  }
  return values.join("\n");
}
