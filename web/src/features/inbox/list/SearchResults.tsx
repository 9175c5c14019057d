import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { MessageSquareText, SearchX, User } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { Avatar } from "@/components/avatar";
import { Button } from "@/components/ui/button";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { client, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { nextCursor } from "@/lib/api/query";
import { cn } from "@/lib/cn";
import { phoneText, useFormats } from "@/lib/format";
import type { InboxSearch } from "@/routes/search";

import { useWhen } from "../when";
import { said } from "../wire";
import { marked } from "./marked";

type Hit = Schemas["Found"];
type Kind = Schemas["FoundKind"];
const ASKED_AFTER_MS = 160;
const PAGE = 25;
/** Conversations and contacts are few and wanted at once; messages are read page by page. */
const FIRST = 6;

function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), ASKED_AFTER_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

const find = (q: string, kind: Kind, limit: number, cursor?: string) => {
  const query = { q, kind, limit, ...(cursor ? { cursor } : {}) };
  return said(client.GET("/api/v1/search", { params: { query } }));
};

function useFirst(kind: Kind, asked: string): Hit[] {
  const { data } = useQuery({
    queryKey: ["inbox", "search", kind, asked],
    queryFn: () => find(asked, kind, FIRST),
    enabled: asked.length > 1,
  });
  return data?.items ?? [];
}

function useMessages(asked: string) {
  return useInfiniteQuery({
    queryKey: ["inbox", "search", "message", asked],
    queryFn: ({ pageParam }) => find(asked, "message", PAGE, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: nextCursor,
    enabled: asked.length > 1,
  });
}

interface ResultsProps {
  text: string;
  view: InboxSearch;
  onText: (text: string) => void;
}

/** What was found in names, numbers and all that was ever said, newest first. */
export function SearchResults({ text, view, onText }: ResultsProps) {
  const { t } = useTranslation();
  const asked = useSettled(text).trim();
  const people = useFirst("conversation", asked);
  const contacts = useFirst("contact", asked);
  const query = useMessages(asked);
  const messages = query.data?.pages.flatMap((page) => page.items) ?? [];
  const count = people.length + contacts.length + messages.length;
  if (asked.length < 2) return <Operators onText={onText} text={text} />;
  if (query.isPending) return <Loading />;
  if (query.error instanceof ApiError && query.error.status === 422) {
    // not written to its end yet, or not as it is understood: says how
    return (
      <div className="min-h-0 flex-1 overflow-y-auto">
        <p role="status" className="px-5 pt-4 text-sm text-warn">
          {errorText(query.error, t)}
        </p>
        <Operators onText={onText} text={text} />
      </div>
    );
  }
  if (query.isError) return <Failed error={query.error} retry={() => void query.refetch()} />;
  if (count === 0) {
    return (
      <div className="min-h-0 flex-1 overflow-y-auto">
        <Empty icon={SearchX} title={t("inbox.search.none")} className="pb-4">
          {t("inbox.search.noneNext")}
        </Empty>
        <Operators onText={onText} text={text} />
      </div>
    );
  }
  return (
    <div
      role="region"
      aria-label={t("inbox.search.results")}
      className="min-h-0 flex-1 overflow-y-auto"
      tabIndex={-1}
    >
      <p role="status" className="sr-only">
        {t("inbox.search.count", { count })}
      </p>
      <Group title={t("inbox.search.people")} hits={people} words={asked} view={view} />
      <Group title={t("inbox.search.contacts")} hits={contacts} words={asked} view={view} />
      <Group title={t("inbox.search.messages")} hits={messages} words={asked} view={view} />
      {query.hasNextPage ? (
        <div className="p-3 text-center">
          <Button disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            {t("inbox.search.more")}
          </Button>
        </div>
      ) : null}
    </div>
  );
}

function Group({
  title,
  hits,
  words,
  view,
}: {
  title: ReactNode;
  hits: Hit[];
  words: string;
  view: InboxSearch;
}) {
  if (hits.length === 0) return null;
  return (
    <section>
      <h2 className="sticky top-0 border-b border-line bg-surface px-3 py-1.5 text-xs font-semibold text-faint">
        {title}
      </h2>
      <ul>
        {hits.map((hit) => (
          <li key={`${hit.kind} ${hit.message_id ?? hit.conversation_id ?? hit.contact_id}`}>
            <Found hit={hit} words={words} isOpen={isOpen(hit, view)} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function isOpen(hit: Hit, view: InboxSearch): boolean {
  if (!hit.conversation_id || hit.conversation_id !== view.conversation) return false;
  return (hit.message_id ?? undefined) === view.message;
}

function Found({ hit, words, isOpen }: { hit: Hit; words: string; isOpen: boolean }) {
  const when = useWhen();
  const formats = useFormats();
  const [now] = useState(() => Date.now());
  const name = hit.name || phoneText(hit.address ?? "");
  const look = cn(
    "flex gap-2.5 border-b border-line/60 px-3 py-2 outline-offset-[-2px]",
    isOpen ? "bg-selected" : "hover:bg-hover",
  );
  const Icon = hit.kind === "message" ? MessageSquareText : User;
  const content = (
    <>
      <Avatar name={name} className="mt-0.5" />
      <div className="min-w-0 flex-1">
        <p className="flex items-center gap-1.5">
          <Icon aria-hidden className="size-3.5 shrink-0 text-faint" />
          <span className="min-w-0 flex-1 truncate text-sm font-medium">{name}</span>
          {hit.at ? (
            <time dateTime={hit.at} title={formats.dateTime(hit.at)} className="figures text-xs text-faint">
              {when(hit.at, now)}
            </time>
          ) : null}
        </p>
        <p className="line-clamp-2 text-sm text-muted [overflow-wrap:anywhere]">
          {marked(hit.snippet ?? "", words).map((part, place) =>
            part.isHit ? (
              <mark key={place} className="rounded-xs bg-warn-soft text-warn">
                {part.text}
              </mark>
            ) : (
              part.text
            ),
          )}
        </p>
      </div>
    </>
  );
  if (!hit.conversation_id) {
    return (
      <Link to="/contacts" search={{ contact: hit.contact_id ?? undefined }} className={look}>
        {content}
      </Link>
    );
  }
  return (
    <Link
      from="/inbox"
      to="/inbox"
      search={(before) => ({
        ...before,
        conversation: hit.conversation_id ?? undefined,
        message: hit.message_id ?? undefined,
      })}
      aria-current={isOpen ? "true" : undefined}
      preload={false}
      className={look}
    >
      {content}
    </Link>
  );
}

const OPERATORS = ["from", "has", "before", "after"] as const;

/** What can be written to search better; each is put into the field by a click. */
function Operators({ text, onText }: { text: string; onText: (text: string) => void }) {
  const { t } = useTranslation();
  return (
    <div className="px-3 py-3">
      <h2 className="mb-1.5 text-xs font-semibold text-faint">{t("inbox.search.operators")}</h2>
      <ul className="flex flex-col gap-0.5">
        {OPERATORS.map((operator) => (
          <li key={operator}>
            <button
              type="button"
              className="flex w-full items-baseline gap-2 rounded-md px-2 py-1.5 text-left text-sm hover:bg-hover"
              onClick={() => {
                onText(`${text.trim()} ${operator}:`.trim());
                document.querySelector<HTMLInputElement>("[role=search] input")?.focus();
              }}
            >
              <code className="shrink-0 rounded-sm bg-raised px-1 text-xs text-accent-ink">
                {t(`inbox.search.op.${operator}`)}
              </code>
              <span className="text-muted">{t(`inbox.search.says.${operator}`)}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
