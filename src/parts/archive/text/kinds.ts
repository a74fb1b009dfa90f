// What kind of content a part has, by its type and the name of its file.

import type { Part } from "./structure.ts";

/** "none": content without text that the archive can read. */
export type Kind = "plain" | "html" | "calendar" | "pdf" | "office" | "tnef" | "message" | "none";

const OFFICE =
  /^application\/vnd\.(?:openxmlformats-officedocument\.|oasis\.opendocument\.(?:text|spreadsheet|presentation)|ms-(?:word|excel|powerpoint)\.[a-z.]*macroenabled)/;

const BY_TYPE: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["text/html", "html"],
  ["application/xhtml+xml", "html"],
  ["text/enriched", "html"],
  ["text/richtext", "html"],
  ["text/calendar", "calendar"],
  ["application/ics", "calendar"],
  ["text/rtf", "none"],
  ["application/pdf", "pdf"],
  ["application/x-pdf", "pdf"],
  ["application/ms-tnef", "tnef"],
  ["application/vnd.ms-tnef", "tnef"],
  ["message/rfc822", "message"],
  ["message/global", "message"],
  ["message/news", "message"],
  ["message/delivery-status", "plain"],
  ["message/global-delivery-status", "plain"],
  ["message/disposition-notification", "plain"],
  ["message/feedback-report", "plain"],
  ["application/json", "plain"],
  ["application/xml", "html"],
  ["text/xml", "html"],
]);

const BY_EXTENSION: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...[
    "txt",
    "text",
    "log",
    "csv",
    "tsv",
    "md",
    "json",
    "diff",
    "patch",
    "ini",
    "toml",
    "yaml",
    "yml",
  ].map((name) => [name, "plain"] as const),
  ...["html", "htm", "xhtml", "xml"].map((name) => [name, "html"] as const),
  ...["docx", "docm", "dotx", "xlsx", "xlsm", "xltx", "pptx", "pptm", "ppsx", "potx"].map(
    (name) => [name, "office"] as const,
  ),
  ...["odt", "ods", "odp", "ott", "ots", "otp"].map((name) => [name, "office"] as const),
  ["pdf", "pdf"],
  ["ics", "calendar"],
  ["eml", "message"],
]);

/** Types that say nothing, or that programs give to what they do not know. */
const VAGUE =
  /^(?:application\/(?:octet-stream|x-octet-stream|binary|x-binary|download|x-download|x-msdownload|force-download|unknown|x-unknown|zip|x-zip-compressed|x-zip|vnd\.openxmlformats|msword|vnd\.ms-excel|vnd\.ms-powerpoint))?$/;

export function kindOf(type: string, name: string): Kind {
  const known = BY_TYPE.get(type);
  if (known !== undefined) return known;
  if (OFFICE.test(type)) return "office";
  if (VAGUE.test(type)) return BY_EXTENSION.get(extensionOf(name)) ?? "none";
  return type.startsWith("text/") || !type.includes("/") ? "plain" : "none";
}

function extensionOf(name: string): string {
  return /\.([A-Za-z0-9]{1,5})$/.exec(name)?.[1]?.toLowerCase() ?? "";
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  "text/plain": "txt",
  "text/html": "html",
  "text/calendar": "ics",
  "text/x-vcard": "vcf",
  "text/vcard": "vcf",
  "application/octet-stream": "bin",
  "application/msword": "doc",
  "application/vnd.ms-excel": "xls",
  "application/vnd.ms-powerpoint": "ppt",
  "application/pgp-signature": "asc",
  "application/pkcs7-signature": "p7s",
  "application/x-pkcs7-signature": "p7s",
  "application/pkcs7-mime": "p7m",
  "application/ms-tnef": "dat",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
  "application/vnd.oasis.opendocument.text": "odt",
  "application/vnd.oasis.opendocument.spreadsheet": "ods",
  "application/vnd.oasis.opendocument.presentation": "odp",
  "image/jpeg": "jpg",
  "image/svg+xml": "svg",
  "audio/mpeg": "mp3",
  "message/rfc822": "eml",
  "message/global": "eml",
};

/** A name for a file that has none: "image.png", "attachment.pdf". */
export function madeName(type: string): string {
  const [group = "", subtype = ""] = type.split("/", 2);
  const extension = EXTENSIONS[type] ?? (/^[a-z0-9]{1,8}$/.test(subtype) ? subtype : "bin");
  const stem =
    group === "image" || group === "audio" || group === "video" || group === "message"
      ? group
      : "attachment";
  return `${stem}.${extension}`;
}

/** True for a part that users see as a file of its own, beside the text of the message. */
export function isFile(part: Part, kind: Kind, name: string): boolean {
  if (part.disposition.value === "attachment" || name !== "") return true;
  if (kind === "message") return !part.isDigest && !part.isReport;
  return kind !== "plain" && kind !== "html" && kind !== "calendar";
}

/** True for an image that the HTML text of the message shows by its Content-ID. Gmail does not count it as attachment. */
export function isShownInside(part: Part): boolean {
  return (
    part.type.value.startsWith("image/") &&
    part.isRelated &&
    part.fields["content-id"] !== undefined &&
    part.disposition.value !== "attachment"
  );
}
