// The setting of the Admin console or the Cloud console that a refusal of Google asks for.

export interface Asker {
  readonly scopes: readonly string[];
  /** The user on whose behalf the service account asks. */
  readonly subject?: string | undefined;
  /** The address of the service account, and the number by which the Admin console knows it. */
  readonly account?: string | undefined;
  readonly clientId?: string | undefined;
}

interface Found {
  readonly status: number;
  readonly reasons: readonly string[];
  readonly text: string;
}

interface Row {
  /** Absent: any reason. */
  readonly reason?: RegExp;
  readonly text?: RegExp;
  readonly status?: number;
  readonly advice: (asker: Asker) => string;
}

function delegation({ scopes, clientId, account, subject }: Asker): string {
  const client = clientId ?? account ?? "the service account";
  if (subject === undefined) {
    return `set subject in [accounts], or give ${account ?? client} an admin role: admin.google.com, Account > Admin roles`;
  }
  return `in admin.google.com, Security > Access and data control > API controls > Domain-wide delegation, authorize client ${client} for ${scopes.join(",")}`;
}

function wrongUser({ subject }: Asker): string {
  return subject === undefined
    ? "check the service account in console.cloud.google.com, IAM & Admin > Service Accounts"
    : `${subject} must be the primary address of an active user of this Google Workspace (admin.google.com, Directory > Users)`;
}

function newKey({ account = "the service account" }: Asker): string {
  return `make a new key of ${account} in console.cloud.google.com, IAM & Admin > Service Accounts > Keys`;
}

function adminRole({ subject, account = "the service account" }: Asker): string {
  return `${subject ?? account} needs an admin role that may read users and groups: admin.google.com, Account > Admin roles`;
}

/** The first match decides. */
const ROWS: readonly Row[] = [
  { reason: /^(?:unauthorized_client|invalid_scope|access_denied)$/, advice: delegation },
  {
    reason: /^invalid_grant$/,
    text: /short-lived|\biat\b|\bexp\b|timeframe/i,
    advice: () => "set the clock of this machine right",
  },
  { reason: /^invalid_grant$/, text: /signature|key/i, advice: newKey },
  {
    reason: /^invalid_grant$/,
    text: /account not found/i,
    advice: ({ account = "the service account" }) =>
      `${account} is gone or disabled: see console.cloud.google.com, IAM & Admin > Service Accounts`,
  },
  { reason: /^invalid_(?:grant|client)$/, advice: wrongUser },
  {
    reason: /^(?:accessNotConfigured|SERVICE_DISABLED)$/,
    advice: () => "turn on this API in console.cloud.google.com, APIs & Services > Library",
  },
  { reason: /^(?:insufficientPermissions|ACCESS_TOKEN_SCOPE_INSUFFICIENT)$/, advice: delegation },
  { text: /insufficient .*scopes|delegation denied/i, advice: delegation },
  {
    text: /mail service not enabled/i,
    advice: () =>
      "turn on Gmail for this user in admin.google.com, Apps > Google Workspace > Gmail > Service status",
  },
  {
    reason: /^(?:dailyLimitExceeded|quotaExceeded)$/,
    advice: () => "see console.cloud.google.com, APIs & Services > Quotas",
  },
  { reason: /^domainNotFound$/, advice: () => "check customer and domains in [accounts]" },
  { status: 400, text: /customer/i, advice: () => "check customer in [accounts]" },
  { status: 403, reason: /^(?:forbidden|notAuthorized|PERMISSION_DENIED)$/, advice: adminRole },
  { status: 401, advice: newKey },
];

/** Undefined if no setting is known to be the cause. */
export function advice({ status, reasons, text }: Found, asker: Asker): string | undefined {
  const row = ROWS.find(
    (one) =>
      (one.status ?? status) === status &&
      (one.text?.test(text) ?? true) &&
      (one.reason === undefined || reasons.some((reason) => one.reason?.test(reason))),
  );
  return row?.advice(asker);
}
