import {
  Archive,
  ArchiveRestore,
  CircleCheck,
  CircleDot,
  AlarmClock,
  AlarmClockOff,
  type LucideIcon,
  MailOpen,
  Pin,
  PinOff,
  Tag,
  UserPlus,
} from "lucide-react";
import { useTranslation } from "react-i18next";

import { toast } from "@/components/ui/toasts";
import type { Permission } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useMay, useMe } from "@/lib/session";

import { change } from "../data/conversation";
import { recount } from "../data/counts";
import { markUnread } from "../data/reading";
import type { Change, Conversation } from "../wire";

export type PickerKind = "assign" | "label" | "snooze";

export interface Action {
  id: "assign" | "label" | "close" | "archive" | "snooze" | "pin" | "unread";
  text: string;
  icon: LucideIcon;
  keys?: string;
  /** Why it can't be done, if so. */
  why: string | null;
  run: (conversation: Conversation) => void;
}

interface Screen {
  pick: (kind: PickerKind, conversation: Conversation) => void;
  /** The conversation leaves the list that is looked at: what comes next is opened in its place. */
  leave: (conversation: Conversation) => void;
  close: (conversation: Conversation) => void;
}

/** Changes a conversation, says so, and offers to take it back. */
export function useChange() {
  const { t } = useTranslation();
  const me = useMe().user.id;
  const run = async (conversation: Conversation, body: Change, told: string): Promise<void> => {
    try {
      const after = await change(conversation, body, me);
      recount();
      const undo = inverse(conversation, body);
      toast("ok", told, {
        text: t("inbox.undo"),
        run: () => void run(after, undo, t("inbox.undone")),
      });
    } catch (error) {
      toast("bad", errorText(error, t));
    }
  };
  return run;
}

/** What takes a change back. */
export function inverse(before: Conversation, change: Change): Change {
  const fields = Object.keys(change) as (keyof Change)[];
  const entries = fields.map((field) => [field, before[field as keyof Conversation] ?? null]);
  const undo = Object.fromEntries(entries) as Change;
  // closing ends a snooze: to take it back is to bring that back too
  if (change.state && before.snoozed_until) undo.snoozed_until = before.snoozed_until;
  return undo;
}

/** What can be done with a conversation: the same for buttons, keys and the palette. */
export function useActions(screen: Screen): (conversation: Conversation | undefined) => Action[] {
  const { t } = useTranslation();
  const may = useMay();
  const apply = useChange();
  const needs = (permission: Permission) => (may(permission) ? null : t("inbox.why.permission"));
  const state = needs("conversations.change_state");
  const move = (next: Conversation["state"], told: string) => (one: Conversation) => {
    if (next !== one.state) screen.leave(one);
    void apply(one, { state: next }, told);
  };
  return (conversation) => {
    const isClosed = conversation?.state === "closed";
    const isArchived = conversation?.state === "archived";
    const isAsleep = Boolean(conversation?.snoozed_until);
    const isPinned = Boolean(conversation?.is_pinned);
    return [
      {
        id: "assign",
        text: t("inbox.act.assign"),
        icon: UserPlus,
        keys: "a",
        why: may("conversations.assign") || may("conversations.reply") ? null : t("inbox.why.permission"),
        run: (one) => screen.pick("assign", one),
      },
      {
        id: "label",
        text: t("inbox.act.label"),
        icon: Tag,
        keys: "l",
        why: state,
        run: (one) => screen.pick("label", one),
      },
      isClosed
        ? {
            id: "close",
            text: t("inbox.act.reopen"),
            icon: CircleDot,
            keys: "e",
            why: state,
            run: move("active", t("inbox.told.reopened")),
          }
        : {
            id: "close",
            text: t("inbox.act.close"),
            icon: CircleCheck,
            keys: "e",
            why: state,
            run: move("closed", t("inbox.told.closed")),
          },
      isAsleep
        ? {
            id: "snooze",
            text: t("inbox.act.wake"),
            icon: AlarmClockOff,
            keys: "s",
            why: state,
            run: (one) => void apply(one, { snoozed_until: null }, t("inbox.told.woken")),
          }
        : {
            id: "snooze",
            text: t("inbox.act.snooze"),
            icon: AlarmClock,
            keys: "s",
            why: state ?? (isClosed || isArchived ? t("inbox.why.notActive") : null),
            run: (one) => screen.pick("snooze", one),
          },
      isArchived
        ? {
            id: "archive",
            text: t("inbox.act.unarchive"),
            icon: ArchiveRestore,
            keys: "y",
            why: state,
            run: move("active", t("inbox.told.unarchived")),
          }
        : {
            id: "archive",
            text: t("inbox.act.archive"),
            icon: Archive,
            keys: "y",
            why: state,
            run: move("archived", t("inbox.told.archived")),
          },
      {
        id: "pin",
        text: t(isPinned ? "inbox.act.unpin" : "inbox.act.pin"),
        icon: isPinned ? PinOff : Pin,
        keys: "p",
        why: needs("conversations.pin_shared"),
        run: (one) =>
          void apply(
            one,
            { is_pinned: !one.is_pinned },
            t(one.is_pinned ? "inbox.told.unpinned" : "inbox.told.pinned"),
          ),
      },
      {
        id: "unread",
        text: t("inbox.act.unread"),
        icon: MailOpen,
        keys: "u",
        why: null,
        run: (one) => {
          screen.close(one);
          markUnread(one.id).then(
            () => toast("ok", t("inbox.told.unread")),
            (error: unknown) => toast("bad", errorText(error, t)),
          );
        },
      },
    ];
  };
}
