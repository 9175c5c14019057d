/** What somebody is about to change of settings, before it is saved. Unset, empty and null are three things here too. */
import type { Held, Setting, Source } from "./wire";

/** A value that is to be set here, or that nothing is to be set here any more. */
export type Draft = { kind: "set"; value: unknown } | { kind: "unset" };
export type Drafts = Readonly<Record<string, Draft>>;

const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** What would hold if nothing were set here. */
export const behind = ({ holds, inherited }: Setting, own: Source): Held | null =>
  holds.source === own ? (inherited ?? null) : holds;

/** What holds once it is saved. */
export function shownOf(setting: Setting, own: Source, draft: Draft | undefined): Held {
  if (draft?.kind === "set") {
    return { value: draft.value, source: own, is_some: draft.value !== null, set_at: null };
  }
  return draft?.kind === "unset" ? (behind(setting, own) ?? setting.holds) : setting.holds;
}

/** The drafts with one more, or without it where it would change nothing. A secret can't be compared, so it always would. */
export function withDraft(drafts: Drafts, setting: Setting, own: Source, draft: Draft | null): Drafts {
  const others = Object.fromEntries(Object.entries(drafts).filter(([key]) => key !== setting.key));
  const isOwn = setting.holds.source === own;
  const isIdle =
    draft === null ||
    (draft.kind === "unset"
      ? !isOwn
      : isOwn &&
        same(draft.value, setting.holds.value) &&
        (setting.kind.type !== "secret" || !setting.holds.is_some));
  return isIdle ? others : { ...others, [setting.key]: draft };
}

/** The drafts as the server is told of them. */
export function changeOf(drafts: Drafts): { set: Record<string, unknown>; unset: string[] } {
  const set: Record<string, unknown> = {};
  const unset: string[] = [];
  for (const [key, draft] of Object.entries(drafts)) {
    if (draft.kind === "set") set[key] = draft.value;
    else unset.push(key);
  }
  return { set, unset };
}

/** What a cleared field says: an empty text where that is a value, and else that there is none. */
export const cleared = ({ may_be_empty: mayBeEmpty }: Setting): unknown => (mayBeEmpty ? "" : null);
