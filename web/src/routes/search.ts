/** What stands in an address is anybody's: each value is read, and dropped where it is none. */
type Search = Record<string, unknown>;

/** Addresses are plain: `?state=failed`, not JSON in quotes. */
export const parseSearch = (address: string): Search => Object.fromEntries(new URLSearchParams(address));
export function stringifySearch(search: Search): string {
  const set = Object.entries(search).filter(([, value]) => value !== undefined && value !== null);
  const address = new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
  return address && `?${address}`;
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== ""
    ? value
    : typeof value === "boolean" && value
      ? "true"
      : undefined;

const number = (value: unknown): number | undefined => {
  const read = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof read === "number" && Number.isSafeInteger(read) ? read : undefined;
};

const oneOf = <Value extends string>(value: unknown, values: readonly Value[]): Value | undefined =>
  values.find((known) => known === value);

export interface LogInSearch {
  to?: string | undefined;
  /** The account whose ways in are shown. */
  tenant?: string | undefined;
  /** Why a log-in by an identity provider came to nothing. */
  problem?: string | undefined;
  /** A log-in by an identity provider that waits for a code. */
  code_of?: string | undefined;
}
export const readLogIn = (search: Search): LogInSearch => ({
  to: text(search["to"]),
  tenant: text(search["tenant"]),
  problem: text(search["problem"]),
  code_of: text(search["code_of"]),
});

export interface SecuritySearch {
  /** Why linking or proving came to nothing. */
  problem?: string | undefined;
  done?: "linked" | "proven" | undefined;
}
export const readSecurity = (search: Search): SecuritySearch => ({
  problem: text(search["problem"]),
  done: oneOf(search["done"], ["linked", "proven"]),
});

export const INBOX_TABS = ["mine", "unassigned", "all"] as const;
export const INBOX_STATES = ["active", "snoozed", "archived", "closed"] as const;
export const SERVICES = ["imessage", "sms", "rcs", "unknown"] as const;
export interface InboxSearch {
  tab?: (typeof INBOX_TABS)[number] | undefined;
  state?: (typeof INBOX_STATES)[number] | undefined;
  label?: string | undefined;
  line?: string | undefined;
  service?: (typeof SERVICES)[number] | undefined;
  unread?: true | undefined;
  pinned?: true | undefined;
  /** The conversation that is open, and the message that it was opened at. */
  conversation?: string | undefined;
  message?: string | undefined;
  /** Whether the panel beside it is seen; where nothing is said, on wide screens. */
  panel?: boolean | undefined;
  /** What is searched. */
  q?: string | undefined;
}
export const readInbox = (search: Search): InboxSearch => ({
  tab: oneOf(search["tab"], INBOX_TABS),
  state: oneOf(search["state"], INBOX_STATES),
  label: text(search["label"]),
  line: text(search["line"]),
  service: oneOf(search["service"], SERVICES),
  unread: text(search["unread"]) === "true" ? true : undefined,
  pinned: text(search["pinned"]) === "true" ? true : undefined,
  conversation: text(search["conversation"]),
  message: text(search["message"]),
  panel: { true: true, false: false }[String(search["panel"])],
  q: text(search["q"]),
});

/** A day that there is, as it stands in an address: 2026-01-31. */
const day = (value: unknown): string | undefined => {
  if (typeof value !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return undefined;
  const read = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(read.getTime()) && read.toISOString().startsWith(value) ? value : undefined;
};

export const SUPPRESSIONS = ["none", "any", "opted_out", "blacklisted", "opt_out_review"] as const;
export interface ContactsSearch {
  /** What is searched: beginnings of names, digits of a number. */
  q?: string | undefined;
  label?: string | undefined;
  /** The import whose contacts are shown. */
  import?: string | undefined;
  /** Whether they have one. */
  phone?: "yes" | "no" | undefined;
  suppression?: (typeof SUPPRESSIONS)[number] | undefined;
  /** Made on these days, or between them. */
  from?: string | undefined;
  to?: string | undefined;
  /** The contact beside the list. */
  contact?: string | undefined;
  new?: true | undefined;
  /** The change of many that is looked at. */
  bulk?: string | undefined;
}
export const readContacts = (search: Search): ContactsSearch => ({
  q: text(search["q"]),
  label: text(search["label"]),
  import: text(search["import"]),
  phone: oneOf(search["phone"], ["yes", "no"]),
  suppression: oneOf(search["suppression"], SUPPRESSIONS),
  from: day(search["from"]),
  to: day(search["to"]),
  contact: text(search["contact"]),
  new: text(search["new"]) ? true : undefined,
  bulk: text(search["bulk"]),
});

/** The file that the server holds. */
export const readNewImport = (search: Search): { held?: string | undefined } => ({
  held: text(search["held"]),
});

export const CAMPAIGN_STEPS = ["audience", "message", "timing", "check"] as const;
type CampaignStep = (typeof CAMPAIGN_STEPS)[number];

export interface NewCampaignSearch {
  /** The import that it goes to, unless something else is chosen. */
  import?: string | undefined;
  draft?: string | undefined;
  step?: CampaignStep | undefined;
}
export const readNewCampaign = (search: Search): NewCampaignSearch => ({
  import: text(search["import"]),
  draft: text(search["draft"]),
  step: oneOf(search["step"], CAMPAIGN_STEPS),
});

export interface CampaignSearch {
  step?: CampaignStep | undefined;
  /** The recipients that are shown. */
  state?: string | undefined;
  reason?: string | undefined;
}
export const readCampaign = (search: Search): CampaignSearch => ({
  step: oneOf(search["step"], CAMPAIGN_STEPS),
  state: text(search["state"]),
  reason: text(search["reason"]),
});

export interface JobsSearch {
  tab?: string;
  state?: string;
  lane?: number;
  /** The job beside the list. */
  job?: number;
}
export const readJobs = (search: Search): JobsSearch => ({
  tab: text(search["tab"]),
  state: text(search["state"]),
  lane: number(search["lane"]),
  job: number(search["job"]),
});

export interface OperatorJobsSearch {
  state?: string;
  kind?: string;
  /** The job beside the list. */
  job?: number;
}
export const readOperatorJobs = (search: Search): OperatorJobsSearch => ({
  state: text(search["state"]),
  kind: text(search["kind"]),
  job: number(search["job"]),
});

const TENANT_STATES = ["active", "past_due", "suspended", "closed"] as const;
export interface TenantsSearch {
  /** What is searched in names and slugs. */
  q?: string | undefined;
  state?: (typeof TENANT_STATES)[number] | undefined;
}
export const readTenants = (search: Search): TenantsSearch => ({
  q: text(search["q"]),
  state: oneOf(search["state"], TENANT_STATES),
});

export interface AuditSearch {
  subject?: string | undefined;
}
export const readAudit = (search: Search): AuditSearch => ({ subject: text(search["subject"]) });

/** The role that is open, `new` for one that is being made; and the one that it is made from. */
export interface RolesSearch {
  role?: string | undefined;
  from?: string | undefined;
}
export const readRoles = (search: Search): RolesSearch => ({
  role: text(search["role"]),
  from: text(search["from"]),
});

/** The organization that is open, or whose lines are shown. */
export interface OrganizationSearch {
  organization?: string | undefined;
}
export const readOrganization = (search: Search): OrganizationSearch => ({
  organization: text(search["organization"]),
});

export interface WebhooksSearch {
  /** The webhook whose log is shown, and what of it. */
  webhook?: string | undefined;
  state?: string | undefined;
}
export const readWebhooks = (search: Search): WebhooksSearch => ({
  webhook: text(search["webhook"]),
  state: text(search["state"]),
});
