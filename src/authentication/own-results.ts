// Authentication-Results that a message brings along and that claim to be ours (RFC 8601 5). Whoever reads them
// behind us would believe them.

const START = /^[^:]*:/;

/** `field` from its name to its last CRLF. When in doubt it is taken for one. */
export function claimsToBeOurs(field: string, hostname: string): boolean {
  const value = field.replace(START, "").replaceAll("\r\n", "").toLowerCase();
  const ours = hostname.toLowerCase();
  if (!value.replaceAll("\\", "").includes(ours)) return false;
  const bare = withoutComments(value);
  if (bare === undefined) return true;
  const [id = ""] = bare.replaceAll(/\\(.)/g, "$1").split(";");
  return id.split(/[\s"/]+/).some((word) => word === ours || word === `${ours}.`);
}

/** Undefined when they are not balanced. */
function withoutComments(value: string): string | undefined {
  let kept = "";
  let depth = 0;
  for (let i = 0; i < value.length; i++) {
    const character = value[i] ?? "";
    if (character === "\\" && depth > 0) i++;
    else if (character === "(") depth++;
    else if (character === ")") depth--;
    else if (depth === 0) kept += character;
    if (depth < 0) return undefined;
  }
  return depth === 0 ? `${kept} ` : undefined;
}
