/** A campaign as somebody fills it in, and as the server takes it. */
import type { Schemas } from "@/lib/api/client";
import { filterOf } from "@/features/contacts/filter";
import type { ContactsSearch } from "@/routes/search";

import type { Campaign } from "./state";
import { localOf, momentOf } from "./times";

export const AUDIENCES = ["everybody", "import", "labels", "filter"] as const;

export interface Chosen {
  /** `given`: a filter of a program, which no fields here can show. */
  kind: (typeof AUDIENCES)[number] | "given";
  importId: string;
  labelIds: string[];
  search: ContactsSearch;
  given: Schemas["ContactFilter"] | null;
}

export interface Form {
  name: string;
  line_id: string;
  /** Said once, when the draft is made. */
  on_unknown: string;
  audience: Chosen;
  body: string;
  window: { isOn: boolean } & Schemas["SendingWindow"];
  quiet_hours: boolean;
  ends_at: string;
  pace: { count: string; per: Schemas["PacePer"] };
  /** The server knows it only once it is scheduled. */
  start: { isLater: boolean; at: string };
}
export type FieldName = keyof Form;

export const everybody: Chosen = { kind: "everybody", importId: "", labelIds: [], search: {}, given: null };

export const EMPTY: Form = {
  name: "",
  line_id: "",
  on_unknown: "hold",
  audience: everybody,
  body: "",
  window: { isOn: false, days: [1, 2, 3, 4, 5], from: "09:00", until: "18:00", zone: "contact" },
  quiet_hours: true,
  ends_at: "",
  pace: { count: "", per: "minute" },
  start: { isLater: false, at: "" },
};

/** A day before that of a moment: the last one of those meant. */
const lastDay = (before: string) => localOf(new Date(new Date(before).getTime() - 1)).slice(0, 10);

/** A filter as the screen of contacts shows it. */
function searchOf(filter: Schemas["ContactFilter"]): ContactsSearch {
  return {
    q: filter.text ?? undefined,
    label: filter.label_ids[0],
    import: filter.import_id ?? undefined,
    phone: filter.has_phone === null ? undefined : filter.has_phone ? "yes" : "no",
    suppression: filter.suppression ?? undefined,
    from: filter.created_from ? localOf(filter.created_from).slice(0, 10) : undefined,
    to: filter.created_before ? lastDay(filter.created_before) : undefined,
  };
}

/** Whether both choose the same contacts: what is absent, null or empty chooses nothing. */
function isSame(one: object, other: object): boolean {
  const plain = (filter: object) =>
    JSON.stringify(
      Object.entries(filter)
        .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
        .map(([name, value]) => [name, /^created_/.test(name) ? Date.parse(String(value)) : value])
        .sort(([one], [other]) => String(one).localeCompare(String(other))),
    );
  return plain(one) === plain(other);
}

function chosenOf({ import_id, audience }: Campaign): Chosen {
  if (import_id) return { ...everybody, kind: "import", importId: import_id };
  if (!audience || isSame(audience, {})) return everybody;
  if (isSame(audience, { label_ids: audience.label_ids })) {
    return { ...everybody, kind: "labels", labelIds: audience.label_ids };
  }
  const search = searchOf(audience);
  if (isSame(audience, filterOf(search))) return { ...everybody, kind: "filter", search };
  return { ...everybody, kind: "given", given: audience };
}

/** Whom it chooses, as the server takes it; null while the choice is not finished. */
export function audienceOf(chosen: Chosen): { import_id: string | null; audience: object | null } | null {
  const filter = (audience: object) => ({ import_id: null, audience });
  switch (chosen.kind) {
    case "everybody":
      return { import_id: null, audience: null };
    case "import":
      return chosen.importId ? { import_id: chosen.importId, audience: null } : null;
    case "labels":
      return chosen.labelIds.length > 0 ? filter({ label_ids: chosen.labelIds }) : null;
    case "filter": {
      const set = filterOf(chosen.search);
      return Object.keys(set).length > 0 ? filter(set) : null;
    }
    case "given":
      return chosen.given ? filter(chosen.given) : null;
  }
}

export function formOf(campaign: Campaign): Form {
  const { window, pace, rate_per_minute, starts_at } = campaign;
  return {
    name: campaign.name,
    line_id: campaign.line_id,
    on_unknown: campaign.on_unknown,
    audience: chosenOf(campaign),
    body: campaign.body,
    window: window ? { isOn: true, ...window } : EMPTY.window,
    quiet_hours: campaign.quiet_hours,
    ends_at: campaign.ends_at ? localOf(campaign.ends_at) : "",
    pace: pace
      ? { count: String(pace.count), per: pace.per }
      : { count: rate_per_minute ? String(rate_per_minute) : "", per: "minute" },
    start: starts_at ? { isLater: true, at: localOf(starts_at) } : EMPTY.start,
  };
}

/** Fields as a draft's change says them. The time of the launch is no part of a draft. */
export function changeOf(fields: Partial<Form>): Schemas["CampaignChange"] {
  const { name, line_id, audience, body, window, quiet_hours, ends_at, pace } = fields;
  const end = ends_at ? momentOf(ends_at) : null;
  return {
    ...(name === undefined ? {} : { name: name.trim() }),
    ...(line_id === undefined ? {} : { line_id }),
    ...((audience ? audienceOf(audience) : {}) as Pick<Schemas["CampaignChange"], "import_id" | "audience">),
    ...(body === undefined ? {} : { body }),
    ...(window === undefined ? {} : { window: windowOf(window) }),
    ...(quiet_hours === undefined ? {} : { quiet_hours }),
    ...(ends_at === undefined ? {} : { ends_at: end?.toISOString() ?? null }),
    ...(pace === undefined ? {} : { pace: paceOf(pace), rate_per_minute: null }),
  };
}

export function newOf(form: Form): Schemas["NewCampaign"] {
  const { name, line_id, body } = form;
  return {
    ...(changeOf(form) as Partial<Schemas["NewCampaign"]>),
    name: name.trim(),
    line_id,
    body,
    on_unknown: form.on_unknown,
  };
}

function windowOf({ isOn, days, from, until, zone }: Form["window"]): Schemas["SendingWindow"] | null {
  return isOn ? { days, from, until, zone } : null;
}

function paceOf({ count, per }: Form["pace"]): Schemas["CampaignPace"] | null {
  return count.trim() === "" ? null : { count: Number(count), per };
}
