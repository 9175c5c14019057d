/** Which part of the inbox is looked at: all of it stands in the address, so that it can be sent, reloaded and gone back to. */
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

import type { InboxSearch } from "@/routes/search";

import type { Conversation, ConversationState, Service } from "./wire";

export interface ListFilter {
  state?: ConversationState;
  snoozed?: true;
  assignee?: "me" | "none";
  label?: string;
  line?: string;
  service?: Service;
  unread?: true;
  pinned?: true;
}

const PARTS = ["tab", "state", "label", "line", "service", "unread", "pinned"] as const;
type Part = (typeof PARTS)[number];

/** What the list is asked for. */
export function filterOf(view: InboxSearch): ListFilter {
  const { tab, state, label, line, service, unread, pinned } = view;
  return {
    ...(state === "snoozed" ? { snoozed: true } : { state: state ?? "active" }),
    ...(tab === "mine" ? { assignee: "me" } : tab === "unassigned" ? { assignee: "none" } : {}),
    ...(label ? { label } : {}),
    ...(line ? { line } : {}),
    ...(service ? { service } : {}),
    ...(unread ? { unread } : {}),
    ...(pinned ? { pinned } : {}),
  };
}

/** Whether the list of that filter shows the conversation, as the server would decide it. */
export function matches(
  filter: ListFilter,
  conversation: Conversation,
  me: string,
  now = Date.now(),
): boolean {
  const { snoozed_until: until, assignee_id: assignee } = conversation;
  const isAsleep = Boolean(until) && new Date(until ?? 0).getTime() > now;
  if (filter.snoozed ? !isAsleep : filter.state === "active" && isAsleep) return false;
  if (filter.state && conversation.state !== filter.state) return false;
  if (filter.assignee && (assignee ?? null) !== (filter.assignee === "me" ? me : null)) return false;
  if (filter.label && !conversation.label_ids.includes(filter.label)) return false;
  if (filter.line && conversation.line_id !== filter.line) return false;
  if (filter.service && conversation.service !== filter.service) return false;
  if (filter.unread && conversation.unread_count === 0) return false;
  return !filter.pinned || conversation.is_pinned;
}

/** The filter's part of a view as text, as it is kept under a name. */
export function queryOf(view: InboxSearch): string {
  const pairs = PARTS.flatMap((part) => (view[part] === undefined ? [] : [[part, String(view[part])]]));
  return new URLSearchParams(pairs).toString();
}

/** The same back: a view with that filter and nothing of any other. */
export function viewOf(query: string): Record<Part, unknown> {
  const read = new URLSearchParams(query);
  const values = PARTS.map((part) => [
    part,
    read.get(part) === "true" ? true : (read.get(part) ?? undefined),
  ]);
  return Object.fromEntries(values) as Record<Part, unknown>;
}

export function hasFilters(view: InboxSearch): boolean {
  return Boolean(view.label || view.line || view.service || view.unread || view.pinned);
}

export interface View {
  view: InboxSearch;
  /** Changes a part of it; a step back undoes it unless it replaces. */
  show: (change: Partial<InboxSearch>, options?: { replace?: boolean }) => void;
}

export function useView(): View {
  const view = useSearch({ from: "/app/inbox" });
  const navigate = useNavigate({ from: "/inbox" });
  const show = useCallback<View["show"]>(
    (change, { replace = false } = {}) =>
      void navigate({ search: (before) => ({ ...before, ...change }), replace }),
    [navigate],
  );
  return { view, show };
}
