// The charset that an HTML document names itself, for a part that names none.

const FIRST_OCTETS = 1024;

/** "" if the document names none. */
export function htmlCharset(document: Buffer): string {
  const head = document.toString("latin1", 0, Math.min(FIRST_OCTETS, document.length));
  const found = /<meta\s[^>]{0,200}?charset\s*=\s*["']?([\w:.-]{1,40})/i.exec(head)?.[1];
  return found ?? /^<\?xml[^>]{1,100}?encoding=["']([\w:.-]{1,40})/.exec(head)?.[1] ?? "";
}
