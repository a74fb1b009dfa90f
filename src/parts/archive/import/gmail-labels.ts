// X-Gmail-Labels, as Google Takeout writes it: the labels of a message in the language of the account, separated by
// commas, in quotes where a label has a comma, and the whole as encoded words (RFC 2047) where it has more than ASCII.
//
// In the archive a message lies once: in Sent if it is labelled so, else in the inbox, else as Spam, Trash or Drafts, else
// in the folder of the first label of the user's own, else in the inbox. Spam and Trash are imported too, because an
// archive leaves nothing out; they get folders of their own, so that a search can leave them out.

const SYSTEM: Readonly<Record<string, readonly string[]>> = {
  Sent: [
    "sent",
    "sent mail",
    "gesendet",
    "messages envoyés",
    "envoyés",
    "enviados",
    "enviado",
    "inviati",
    "posta inviata",
    "e-mails enviados",
    "verzonden",
    "verzonden berichten",
    "wysłane",
    "отправленные",
    "送信済み",
    "送信済みメール",
    "已发邮件",
    "已发送",
    "보낸편지함",
  ],
  INBOX: [
    "inbox",
    "posteingang",
    "boîte de réception",
    "recibidos",
    "bandeja de entrada",
    "posta in arrivo",
    "caixa de entrada",
    "entrada",
    "postvak in",
    "odebrane",
    "входящие",
    "受信トレイ",
    "收件箱",
    "받은편지함",
  ],
  Spam: ["spam", "junk", "courrier indésirable", "спам", "迷惑メール", "垃圾邮件", "스팸함"],
  Trash: [
    "trash",
    "bin",
    "papierkorb",
    "corbeille",
    "papelera",
    "cestino",
    "lixeira",
    "lixo",
    "prullenbak",
    "kosz",
    "корзина",
    "ゴミ箱",
    "已删除邮件",
    "휴지통",
  ],
  Drafts: [
    "draft",
    "drafts",
    "entwurf",
    "entwürfe",
    "brouillon",
    "brouillons",
    "borrador",
    "borradores",
    "bozza",
    "bozze",
    "rascunho",
    "rascunhos",
    "concept",
    "concepten",
    "wersje robocze",
    "черновики",
    "下書き",
    "草稿",
    "임시보관함",
  ],
};

/** Labels that Gmail sets by itself, and that are no folders. */
const MARKS = new Set([
  "important",
  "starred",
  "unread",
  "opened",
  "archived",
  "chat",
  "wichtig",
  "markiert",
  "ungelesen",
  "geöffnet",
  "archiviert",
  "importants",
  "suivis",
  "non lus",
  "ouvert",
  "archivés",
  "importantes",
  "destacados",
  "no leídos",
  "abiertos",
  "archivados",
]);
const CATEGORY = /^(?:category|kategorie|catégorie|categoría|categoria|categorie)[ :]/;

const ORDER = ["Sent", "INBOX", "Spam", "Trash", "Drafts"];

/** The folder of a message with these labels. `value` is unfolded, one character for each octet. */
export function folderOfLabels(value: string): string {
  const labels = labelsIn(value);
  const names = labels.map((label) => label.normalize().toLowerCase());
  for (const folder of ORDER) {
    if (names.some((name) => SYSTEM[folder]?.includes(name) === true)) return folder;
  }
  return labels.find((_, index) => isOwn(names[index] ?? "")) ?? "INBOX";
}

function isOwn(name: string): boolean {
  return name !== "" && !MARKS.has(name) && !CATEGORY.test(name);
}

const QUOTED = /"((?:[^"\\]|\\.|"")*)"\s*(?:,|$)/sy;
/** Octets. Gmail allows fewer than a hundred labels a message. */
const LABELS_MAX = 16 * 1024;

/** The labels in their order. A quote without its partner is a character of its label. */
export function labelsIn(value: string): string[] {
  const text = decodedWords(value.slice(0, LABELS_MAX));
  const labels: string[] = [];
  for (let at = 0; at < text.length;) {
    const blanks = /\S/.exec(text.slice(at))?.index ?? 0;
    QUOTED.lastIndex = at + blanks;
    const quoted = QUOTED.exec(text);
    const comma = text.indexOf(",", at);
    const end = comma === -1 ? text.length : comma;
    labels.push(quoted?.[1]?.replaceAll(/\\(.)|"(")/gs, "$1$2") ?? text.slice(at, end).trim());
    at = quoted === null ? end + 1 : QUOTED.lastIndex;
  }
  return labels.filter((label) => label !== "");
}

const WORD = /=\?[^?\s]+\?([bq])\?([^?\s]*)\?=(?:\s+(?==\?))?/gi;

/** Google writes UTF-8 only. A character may be cut in two by the end of a word, so octets are joined first. */
function decodedWords(value: string): string {
  const octets = value.replaceAll(WORD, (_, encoding: string, text: string) =>
    encoding.toLowerCase() === "b"
      ? Buffer.from(text, "base64").toString("latin1")
      : text
          .replaceAll("_", " ")
          .replaceAll(/=([\da-f]{2})/gi, (__, hex: string) =>
            String.fromCharCode(Number.parseInt(hex, 16)),
          ),
  );
  return Buffer.from(octets, "latin1").toString("utf8");
}
