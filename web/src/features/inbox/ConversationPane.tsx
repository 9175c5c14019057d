import { MessageCircleOff } from "lucide-react";
import { type DragEvent, lazy, type RefObject, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { ApiError } from "@/lib/api/error";
import { cn } from "@/lib/cn";
import { useMay } from "@/lib/session";

import { ActionBar } from "./actions/ActionBar";
import type { Action, PickerKind } from "./actions/useActions";
import { Composer, type ComposerHandle } from "./composer/Composer";
import { useConversation } from "./data/conversation";
import { discard, type Kind } from "./data/outbox";
import { Thread } from "./thread/Thread";
import { Others, ThreadHeader } from "./thread/ThreadHeader";
import type { View } from "./view";
import type { Conversation } from "./wire";

// a list of conversations is there before one is open, and the panel after it
const ContactPanel = lazy(async () => ({ default: (await import("./panel/ContactPanel")).ContactPanel }));

interface PaneProps {
  id: string;
  place: View;
  composer: RefObject<ComposerHandle | null>;
  /** What is written at once, where it was opened for that. */
  begin: Kind | undefined;
  actionsOf: (conversation: Conversation) => Action[];
  onPick: (kind: PickerKind, conversation: Conversation) => void;
  onLeave: () => void;
}

/** One conversation, and at its side who it is with. */
export function ConversationPane(props: PaneProps) {
  const { t } = useTranslation();
  const { id, place } = props;
  const query = useConversation(id);
  const back = () => place.show({ conversation: undefined, message: undefined, panel: undefined });
  if (query.data) return <Opened {...props} conversation={query.data} onBack={back} />;
  const isGone = query.error instanceof ApiError && [400, 404].includes(query.error.status);
  return (
    <section className="flex min-w-0 flex-1 flex-col items-center justify-center">
      {query.isPending ? <Loading /> : null}
      {isGone ? (
        <Empty
          icon={MessageCircleOff}
          title={t("inbox.gone")}
          action={<Button onClick={back}>{t("inbox.toList")}</Button>}
        >
          {t("inbox.goneNext")}
        </Empty>
      ) : query.isError ? (
        <Failed error={query.error} retry={() => void query.refetch()} />
      ) : null}
    </section>
  );
}

type OpenedProps = PaneProps & { conversation: Conversation; onBack: () => void };

function Opened({
  id,
  place,
  conversation,
  composer,
  begin,
  actionsOf,
  onPick,
  onLeave,
  onBack,
}: OpenedProps) {
  const { t } = useTranslation();
  const { view, show } = place;
  const may = useMay();
  const canWrite = may("conversations.reply") || may("conversations.note");
  const { panel } = view;
  const closePanel = () =>
    show({ panel: matchMedia("(min-width: 80rem)").matches ? false : undefined }, { replace: true });
  const drop = useDrop((files) => composer.current?.attach(files));
  const togglePanel = () => show({ panel: !isShown(panel) }, { replace: true });
  return (
    <>
      <section
        aria-label={t("inbox.conversation")}
        {...drop.on}
        className={cn(
          "flex min-h-0 min-w-0 flex-1 flex-col",
          drop.isOver && "outline-2 -outline-offset-2 outline-focus outline-dashed",
        )}
      >
        <ThreadHeader
          conversation={conversation}
          actions={<ActionBar actions={actionsOf(conversation)} conversation={conversation} />}
          isPanelOpen={isShown(panel)}
          onBack={onBack}
          onPanel={togglePanel}
        />
        <Thread
          key={view.message ?? "newest"}
          conversation={conversation}
          around={view.message}
          onAround={(message) => show({ message })}
          onReply={may("conversations.reply") ? (message) => composer.current?.answer(message) : undefined}
          onEdit={(pending) => {
            discard(id, pending.key);
            composer.current?.edit(pending);
          }}
        />
        <Others id={id} />
        {canWrite ? (
          <Composer
            conversation={conversation}
            handle={composer}
            begin={begin}
            onSent={() => view.message && show({ message: undefined }, { replace: true })}
            onLeave={onLeave}
          />
        ) : (
          <p className="border-t border-line px-4 py-3 text-center text-sm text-muted">
            {t("inbox.composer.mayNot")}
          </p>
        )}
      </section>
      <aside
        aria-label={t("inbox.panel.title")}
        className={cn(
          "min-h-0 flex-col border-l border-line bg-surface max-xl:absolute max-xl:inset-y-0 max-xl:right-0 max-xl:z-30 max-xl:shadow-2xl",
          "w-full md:w-80 xl:shrink-0",
          panel === undefined ? "hidden xl:flex" : panel ? "flex" : "hidden",
        )}
      >
        <Suspense fallback={null}>
          <ContactPanel
            conversation={conversation}
            onClose={closePanel}
            onLabel={() => onPick("label", conversation)}
            onAssign={() => onPick("assign", conversation)}
          />
        </Suspense>
      </aside>
    </>
  );
}

/** Files that are dragged over it. */
function useDrop(onFiles: (files: File[]) => void) {
  const [isOver, setOver] = useState(false);
  const hasFiles = ({ dataTransfer }: DragEvent) => dataTransfer.types.includes("Files");
  return {
    isOver,
    on: {
      onDragOver: (event: DragEvent) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        setOver(true);
      },
      onDragLeave: () => setOver(false),
      onDrop: (event: DragEvent) => {
        setOver(false);
        if (!hasFiles(event)) return;
        // or the browser would open it in place of us
        event.preventDefault();
        onFiles([...event.dataTransfer.files]);
      },
    },
  };
}

/** Where nothing was said the panel is seen on wide screens only. */
function isShown(panel: boolean | undefined): boolean {
  return panel ?? matchMedia("(min-width: 80rem)").matches;
}
