import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGE_ROWS, PAGES, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";

type Session = Schemas["Session"];

/** Where somebody is logged in. */
export function Sessions() {
  const { t } = useTranslation();
  const pages = usePages(["sessions"], (cursor, signal) =>
    client.GET("/api/v1/sessions", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  const end = useMutation({
    mutationFn: (id: string | null) =>
      id === null
        ? client.DELETE("/api/v1/sessions")
        : client.DELETE("/api/v1/sessions/{id}", { params: { path: { id } } }),
    onSuccess: () => {
      toast("ok", t("security.ended"));
      return queryClient.invalidateQueries({ queryKey: [PAGES, "sessions"] });
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  const hasOthers = pages.rows.some(({ is_current }) => !is_current);
  return (
    <Panel
      title={t("security.sessions")}
      aside={
        hasOthers ? (
          <Button size="sm" onClick={() => end.mutate(null)} disabled={end.isPending}>
            {t("security.endOthers")}
          </Button>
        ) : undefined
      }
    >
      <p className="text-sm text-muted">{t("security.sessionsSays")}</p>
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : (
        <ul aria-label={t("security.sessions")} className="mt-2 divide-y divide-line">
          {pages.rows.map((session) => (
            <One key={session.id} session={session} onEnd={() => end.mutate(session.id)} />
          ))}
        </ul>
      )}
      {pages.hasMore ? (
        <Button size="sm" className="mt-2" onClick={pages.loadMore} disabled={pages.isLoadingMore}>
          {t("common.more")}
        </Button>
      ) : null}
    </Panel>
  );
}

function One({ session, onEnd }: { session: Session; onEnd: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const browser = browserOf(session.user_agent ?? "") ?? t("security.unknownBrowser");
  return (
    <li className="flex items-center gap-3 py-2">
      <div className="min-w-0 flex-1">
        <p className="truncate text-base" title={session.user_agent ?? undefined}>
          {browser}
        </p>
        <p className="text-sm text-muted">
          {[t("security.seen", { when: formats.relative(session.seen_at) }), session.ip]
            .filter(Boolean)
            .join(" · ")}
        </p>
      </div>
      {session.is_current ? (
        <Badge tone="ok">{t("security.current")}</Badge>
      ) : (
        <Button size="sm" aria-label={t("security.endOf", { browser })} onClick={onEnd}>
          {t("security.end")}
        </Button>
      )}
    </li>
  );
}

const BROWSERS: [RegExp, string][] = [
  [/Edg(e|A|iOS)?\//, "Edge"],
  [/OPR\//, "Opera"],
  [/SamsungBrowser\//, "Samsung Internet"],
  [/(Firefox|FxiOS)\//, "Firefox"],
  [/(Chrome|CriOS)\//, "Chrome"],
  [/Safari\//, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
  [/iPhone|iPad/, "iOS"],
  [/Android/, "Android"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/CrOS/, "ChromeOS"],
  [/Linux/, "Linux"],
];

/** What a browser calls itself, as people call it. */
export function browserOf(agent: string): string | null {
  const of = (names: [RegExp, string][]) => names.find(([pattern]) => pattern.test(agent))?.[1];
  const [browser, system] = [of(BROWSERS), of(SYSTEMS)];
  return [browser, system].filter(Boolean).join(", ") || null;
}
