/** The keys of the inbox. What they act on is the row that has the focus, else the conversation that is open. */
import type { RefObject } from "react";
import { useTranslation } from "react-i18next";

import { toast } from "@/components/ui/toasts";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useMay } from "@/lib/session";

import type { Action } from "./actions/useActions";
import type { ComposerHandle } from "./composer/Composer";
import { known } from "./data/lists";
import type { Kind } from "./data/outbox";
import type { ListHandle } from "./list/ConversationList";
import type { View } from "./view";
import type { Conversation } from "./wire";

interface Keys {
  place: View;
  list: RefObject<ListHandle | null>;
  composer: RefObject<ComposerHandle | null>;
  searchField: RefObject<HTMLInputElement | null>;
  actionsOf: (conversation: Conversation | undefined) => Action[];
  onNew: (() => void) | undefined;
  /** A conversation is opened in order to write. */
  onBegin: (id: string, kind: Kind) => void;
}

export function useInboxKeys({ place, list, composer, searchField, actionsOf, onNew, onBegin }: Keys): void {
  const { t } = useTranslation();
  const may = useMay();
  const { view, show } = place;
  const target = () => list.current?.focused() ?? (view.conversation ? known(view.conversation) : undefined);
  const refuse = () => toast("bad", t("inbox.why.permission"));
  const open = (id: string) => view.conversation !== id && show({ conversation: id, message: undefined });
  const write = (kind: Kind) => {
    if (!may(kind === "message" ? "conversations.reply" : "conversations.note")) return refuse();
    const one = target();
    if (!one) return;
    if (one.id === view.conversation) return composer.current?.start(kind);
    onBegin(one.id, kind);
    open(one.id);
  };
  const act = (id: Action["id"]) => {
    const one = target();
    const action = actionsOf(one).find((other) => other.id === id);
    if (!one) toast("bad", t("inbox.why.noneOpen"));
    else if (action?.why) toast("bad", action.why);
    else action?.run(one);
  };
  const group = t("nav.inbox");
  const opened = view.conversation ? known(view.conversation) : undefined;
  useShortcuts(
    [
      { keys: "j", label: t("inbox.keys.next"), group, run: () => list.current?.move(1) },
      { keys: "k", label: t("inbox.keys.previous"), group, run: () => list.current?.move(-1) },
      {
        keys: "Enter",
        label: t("inbox.keys.open"),
        group,
        run: () => {
          const one = target();
          if (one) open(one.id);
        },
      },
      { keys: "r", label: t("inbox.keys.reply"), group, inPalette: true, run: () => write("message") },
      { keys: "n", label: t("inbox.keys.note"), group, inPalette: true, run: () => write("note") },
      ...actionsOf(opened).map(({ id, text, keys }) => ({
        keys: keys ?? id,
        label: text,
        group,
        inPalette: true,
        run: () => act(id),
      })),
      {
        keys: "/",
        label: t("inbox.search.label"),
        group,
        inPalette: true,
        run: () => searchField.current?.focus(),
      },
      ...(onNew ? [{ keys: "c", label: t("inbox.new.title"), group, inPalette: true, run: onNew }] : []),
      {
        keys: "i",
        label: t("inbox.panel.toggle"),
        group,
        run: () => {
          if (!view.conversation) return;
          show({ panel: !(view.panel ?? matchMedia("(min-width: 80rem)").matches) }, { replace: true });
        },
      },
    ],
    view.conversation,
  );
}
