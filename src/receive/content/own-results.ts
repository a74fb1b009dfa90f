// Recognises Authentication-Results fields that a message brings along and that claim to be ours (RFC 8601 5). The
// hosts after us would believe them.

/** The id with its end, if no comment, quote or escape before it hides another one. */
const PLAIN_ID = /^[^;()"\\]{0,1000};/;
/** Octets within which an id that is not plain must end; otherwise the field is in doubt. */
const PATIENCE = 1000;
const [OPEN, CLOSE, ESCAPE] = [40, 41, 92];

/** Whether the field claims to be ours; true if in doubt. `field` goes from its name to its last CRLF. */
export function claimsToBeOurs(field: string, hostname: string): boolean {
  const value = field
    .slice(field.indexOf(":") + 1)
    .replaceAll("\r\n", "")
    .toLowerCase();
  const ours = hostname.toLowerCase();
  if (!value.replaceAll("\\", "").includes(ours)) return false;
  const plain = PLAIN_ID.exec(value)?.[0];
  if (plain === undefined && value.length > PATIENCE) return true;
  const bare = withoutComments(plain ?? value);
  if (bare === undefined) return true;
  const [id = ""] = bare.replaceAll(/\\(.)/g, "$1").split(";");
  return id.split(/[\s"/]+/).some((word) => word === ours || word === `${ours}.`);
}

/** The text without comments; undefined if their parentheses are not balanced. */
function withoutComments(value: string): string | undefined {
  let kept = "";
  let depth = 0;
  let from = 0;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === ESCAPE && depth > 0) i++;
    else if (code === OPEN && depth++ === 0) kept += value.slice(from, i);
    else if (code === CLOSE) {
      if (depth-- === 0) return undefined;
      from = i + 1;
    }
  }
  return depth === 0 ? `${kept}${value.slice(from)} ` : undefined;
}
