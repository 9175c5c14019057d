import { MessagesSquare } from "lucide-react";
import { lazy, type RefObject, Suspense, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Empty, Loading } from "@/components/ui/states";
import { cn } from "@/lib/cn";
import { useMay, useMe } from "@/lib/session";
import { useTitle } from "@/lib/title";

import type { Pickers as PickersOf } from "./actions/Pickers";
import { type PickerKind, useActions } from "./actions/useActions";
import type { ComposerHandle } from "./composer/Composer";
import { ConversationPane } from "./ConversationPane";
import { useInboxLive } from "./data/live";
import type { Kind } from "./data/outbox";
import { ConversationList, type ListHandle } from "./list/ConversationList";
import { EmptyList } from "./list/EmptyList";
import { ListHeader } from "./list/ListHeader";
import { useSearchText } from "./list/useSearchText";
import { useInboxKeys } from "./useInboxKeys";
import { filterOf, useView, type View } from "./view";
import type { Conversation } from "./wire";

// asked for by hand: the first look at the list does not wait for them
const NewConversation = lazy(async () => ({
  default: (await import("./list/NewConversation")).NewConversation,
}));
const SearchResults = lazy(async () => ({ default: (await import("./list/SearchResults")).SearchResults }));

/** Where a phone ends: there one pane is seen at a time. */
const isWide = () => matchMedia("(min-width: 48rem)").matches;

interface Picking {
  kind: PickerKind;
  conversation: Conversation;
}

/** The inbox: the conversations, the one that is open, and who it is with. */
export function InboxPage() {
  const { t } = useTranslation();
  useTitle(t("nav.inbox"));
  const place = useView();
  const { view, show } = place;
  const open = view.conversation;
  const may = useMay();
  const list = useRef<ListHandle>(null);
  const composer = useRef<ComposerHandle>(null);
  const searchField = useRef<HTMLInputElement>(null);
  const [picking, setPicking] = useState<Picking | null>(null);
  const [isNew, setNew] = useState(false);
  const [begun, setBegun] = useState<{ id: string; kind: Kind }>();
  useInboxLive(useMe().user.id, open);
  // one key opens them, and what is typed after it is meant for them: they are there by then, and shown at once
  const [Pickers, setPickers] = useState<typeof PickersOf | null>(null);
  useEffect(() => void import("./actions/Pickers").then((loaded) => setPickers(() => loaded.Pickers)), []);
  const search = useSearchText(place);
  const screen = useScreen(place, list, setPicking);
  const actionsOf = useActions(screen);
  const begin = may("conversations.reply") ? () => setNew(true) : undefined;
  const onBegin = (id: string, kind: Kind) => setBegun({ id, kind });
  useInboxKeys({ place, list, composer, searchField, actionsOf, onNew: begin, onBegin });
  return (
    <div className="relative flex h-full min-h-0">
      <section
        aria-label={t("inbox.list")}
        className={cn(
          "flex min-h-0 w-full flex-col border-r border-line bg-surface md:w-[21.25rem] md:shrink-0",
          open && "max-md:hidden",
        )}
      >
        <ListHeader
          {...place}
          searchField={searchField}
          text={search.text}
          onText={search.setText}
          onNew={begin}
        />
        {search.text ? (
          <Suspense fallback={<Loading />}>
            <SearchResults text={search.text} view={view} onText={search.setText} />
          </Suspense>
        ) : (
          <ConversationList
            key={JSON.stringify(filterOf(view))}
            handle={list}
            filter={filterOf(view)}
            open={open}
            empty={<EmptyList view={view} show={show} onNew={begin} />}
          />
        )}
      </section>
      {open ? (
        <ConversationPane
          key={open}
          id={open}
          place={place}
          composer={composer}
          begin={begun?.id === open ? begun.kind : undefined}
          actionsOf={actionsOf}
          onPick={(kind, conversation) => setPicking({ kind, conversation })}
          onLeave={() => list.current?.focus(open)}
        />
      ) : (
        <Nothing />
      )}
      {picking && Pickers ? (
        <Pickers {...picking} onLeave={screen.leave} onClose={() => setPicking(null)} />
      ) : null}
      {isNew ? (
        <Suspense fallback={null}>
          <NewConversation
            onClose={() => setNew(false)}
            onOpened={(id) => {
              setNew(false);
              show({ conversation: id, message: undefined });
            }}
          />
        </Suspense>
      ) : null}
    </div>
  );
}

/** What actions do to the screen. */
function useScreen(
  { view, show }: View,
  list: RefObject<ListHandle | null>,
  setPicking: (picking: Picking) => void,
) {
  return {
    pick: (kind: PickerKind, conversation: Conversation) => setPicking({ kind, conversation }),
    leave: ({ id }: Conversation) => {
      const next = list.current?.after(id);
      if (view.conversation === id) {
        show(
          { conversation: isWide() ? next?.id : undefined, message: undefined, panel: undefined },
          { replace: true },
        );
      } else if (next) list.current?.focus(next.id);
    },
    close: ({ id }: Conversation) => {
      if (view.conversation === id) show({ conversation: undefined, message: undefined }, { replace: true });
    },
  };
}

function Nothing() {
  const { t } = useTranslation();
  return (
    <section className="hidden min-w-0 flex-1 items-center justify-center md:flex">
      <Empty icon={MessagesSquare} title={t("inbox.nothingOpen")}>
        {t("inbox.nothingOpenNext")}
      </Empty>
    </section>
  );
}
