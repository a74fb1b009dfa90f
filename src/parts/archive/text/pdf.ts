// The text of PDF documents, page by page, until the time for them is over.

import { getDocumentProxy } from "unpdf";

const PAGES_MAX = 2000;

export interface PdfText {
  readonly text: string;
  /** Pages are missing: there was no more time, or there are too many. */
  readonly isCut: boolean;
}

/** `isOver` is asked after each page. Rejects for a damaged document. A document that needs a password has no text. */
export async function pdfText(
  octets: Buffer,
  charactersMax: number,
  isOver: () => boolean,
): Promise<PdfText> {
  const document = await opened(octets);
  if (document === undefined) return { text: "", isCut: false };
  const pages: string[] = [];
  let length = 0;
  try {
    for (let number = 1; number <= document.numPages; number++) {
      if (number > PAGES_MAX || length > charactersMax || (number > 1 && isOver())) {
        return { text: pages.join("\n"), isCut: true };
      }
      const page = await document.getPage(number);
      const text = pageText((await page.getTextContent()).items);
      page.cleanup();
      length += text.length;
      pages.push(text);
    }
  } finally {
    await document.loadingTask.destroy();
  }
  return { text: pages.join("\n"), isCut: false };
}

async function opened(octets: Buffer) {
  try {
    // A view, because pdf.js takes no Buffer and would copy one.
    const view = new Uint8Array(octets.buffer, octets.byteOffset, octets.length);
    return await getDocumentProxy(view, { verbosity: 0 });
  } catch (error) {
    if (error instanceof Error && error.name === "PasswordException") return undefined;
    throw error;
  }
}

function pageText(items: readonly object[]): string {
  let text = "";
  for (const item of items) {
    if ("str" in item && typeof item.str === "string") text += item.str;
    if ("hasEOL" in item && item.hasEOL === true) text += "\n";
  }
  return text;
}
