import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { DeviceAnswers } from "@/components/device-answers";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGE_ROWS, PAGES, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { browserOf } from "@/lib/browser";
import { useFormats } from "@/lib/format";
import { useEvent } from "@/lib/live";

type Session = Schemas["Session"];

/** Its browser is new, and nobody has said whose it is. */
const isNews = ({ is_new_device, device_answered_at }: Session) => is_new_device && !device_answered_at;

/** Where somebody is logged in. */
export function Sessions() {
  const { t } = useTranslation();
  const pages = usePages(["sessions"], (cursor, signal) =>
    client.GET("/api/v1/sessions", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  useEvent("device.changed", () => {
    void queryClient.invalidateQueries({ queryKey: [PAGES, "sessions"] });
  });
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
  // a browser that is new itself vouches for no other
  const isKnown = !pages.rows.some((session) => session.is_current && isNews(session));
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
            <One
              key={session.id}
              session={session}
              mayBeRecognized={isKnown}
              onEnd={() => end.mutate(session.id)}
            />
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

interface OneProps {
  session: Session;
  mayBeRecognized: boolean;
  onEnd: () => void;
}

function One({ session, mayBeRecognized, onEnd }: OneProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  const browser = browserOf(session.user_agent ?? "") ?? t("security.unknownBrowser");
  return (
    <li className="flex flex-wrap items-center gap-3 py-2">
      <div className="min-w-0 flex-1 basis-40">
        <p className="truncate text-base" title={session.user_agent ?? undefined}>
          {browser}
        </p>
        <p className="text-sm text-muted">
          {[t("security.seen", { when: formats.relative(session.seen_at) }), session.ip]
            .filter(Boolean)
            .join(" · ")}
        </p>
      </div>
      {isNews(session) ? <Badge tone="warn">{t("security.newDevice")}</Badge> : null}
      {session.is_current ? (
        <Badge tone="ok">{t("security.current")}</Badge>
      ) : isNews(session) ? (
        <DeviceAnswers sessionId={session.id} browser={browser} mayBeRecognized={mayBeRecognized} />
      ) : (
        <Button size="sm" aria-label={t("security.endOf", { browser })} onClick={onEnd}>
          {t("security.end")}
        </Button>
      )}
    </li>
  );
}
