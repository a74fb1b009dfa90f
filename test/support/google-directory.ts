// Google's Directory API, as the fake has it: users, groups and members, a page at a time. It checks the scope of the
// token, the administrator and the customer.

import { errorAnswer, type GoogleAnswer, type GoogleCall } from "./google-answer.ts";

interface FakeUser {
  readonly primaryEmail?: unknown;
  readonly aliases?: unknown;
  readonly nonEditableAliases?: unknown;
  readonly suspended?: boolean;
  readonly archived?: boolean;
}

interface FakeGroup {
  readonly email?: unknown;
  readonly aliases?: unknown;
  readonly nonEditableAliases?: unknown;
}

interface FakeMember {
  readonly email?: string;
  readonly type: "USER" | "GROUP" | "CUSTOMER" | "EXTERNAL";
}

export interface Directory {
  users: readonly FakeUser[];
  groups: readonly FakeGroup[];
  /** By the address of the group. */
  members: Readonly<Record<string, readonly FakeMember[]>>;
}

/** The fake, as far as its directory needs it. */
interface Owner extends Directory {
  readonly customer: string;
  readonly pageSize: number;
  readonly tokens: { readonly hasRole: boolean };
}

const SCOPES: Readonly<Record<string, string>> = {
  users: "admin.directory.user.readonly",
  groups: "admin.directory.group.readonly",
  members: "admin.directory.group.member.readonly",
};

/** Google's own limits of maxResults. */
const LARGEST_PAGE: Readonly<Record<string, number>> = { users: 500, groups: 200, members: 200 };

export function directoryAnswer(google: Owner, { url, subject, scopes }: GoogleCall): GoogleAnswer {
  const [, kind = "", group, members] =
    /^\/admin\/directory\/v1\/(users|groups)(?:\/([^/]+)\/(members))?$/.exec(url.pathname) ?? [];
  const list = members ?? kind;
  if (!scopes.some((scope) => scope.endsWith(`/${SCOPES[list]}`))) {
    return errorAnswer(
      403,
      "insufficientPermissions",
      "Request had insufficient authentication scopes.",
    );
  }
  if (subject === undefined && !google.tokens.hasRole) {
    return errorAnswer(403, "forbidden", "Not Authorized to access this resource/api");
  }
  if (group !== undefined) {
    const found = google.members[decodeURIComponent(group)];
    if (found === undefined) return errorAnswer(404, "notFound", `Resource Not Found: groupKey`);
    return page(google, "members", found, url);
  }
  const customer = url.searchParams.get("customer");
  if (customer !== "my_customer" && customer !== google.customer) {
    return errorAnswer(400, "invalid", "Invalid Input: Bad request for customer");
  }
  return page(google, list, list === "users" ? google.users : google.groups, url);
}

function page(google: Owner, list: string, all: readonly object[], url: URL): GoogleAnswer {
  const largest = Math.min(google.pageSize, LARGEST_PAGE[list] ?? 0);
  const wanted = Number(url.searchParams.get("maxResults") ?? 100);
  const size = Math.min(wanted, largest);
  const token = url.searchParams.get("pageToken");
  const start = token === null ? 0 : Number(/^at-(\d+)$/.exec(token)?.[1] ?? Number.NaN);
  if (Number.isNaN(start)) return errorAnswer(400, "invalid", "Invalid Input: pageToken");
  const rows = all.slice(start, start + size);
  const more = start + size < all.length ? { nextPageToken: `at-${start + size}` } : {};
  const own = rows.length === 0 ? {} : { [list]: rows };
  return { status: 200, body: { kind: `admin#directory#${list}`, etag: '"x"', ...own, ...more } };
}
