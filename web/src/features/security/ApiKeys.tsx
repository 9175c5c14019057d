import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Panel } from "@/components/ui/panel";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGE_ROWS, PAGES, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";

import { KeyShown, NewKey } from "./NewKey";

type ApiKey = Schemas["ApiKey"];
type Open = { kind: "new" } | { kind: "token"; token: string | null } | { kind: "revoke"; key: ApiKey };

const readAgain = () => queryClient.invalidateQueries({ queryKey: [PAGES, "api-keys"] });

/** Keys by which programs use the account: what each may, how much it may ask, and what it has asked for today. */
export function ApiKeys() {
  const { t } = useTranslation();
  const [open, setOpen] = useState<Open | null>(null);
  const pages = usePages(["api-keys"], (cursor, signal) =>
    client.GET("/api/v1/api-keys", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  const revoke = useMutation({
    mutationFn: ({ id }: ApiKey) => client.DELETE("/api/v1/api-keys/{id}", { params: { path: { id } } }),
    onSuccess: () => {
      toast("ok", t("security.keyRevoked"));
      return readAgain();
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  const close = () => setOpen(null);
  return (
    <Panel
      title={t("security.keys")}
      aside={
        <Button size="sm" onClick={() => setOpen({ kind: "new" })}>
          {t("security.newKey")}
        </Button>
      }
    >
      <p className="text-sm text-muted">{t("security.keysSays")}</p>
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : (
        <ul aria-label={t("security.keys")} className="mt-2 divide-y divide-line">
          {pages.rows.map((key) => (
            <One key={key.id} apiKey={key} onRevoke={() => setOpen({ kind: "revoke", key })} />
          ))}
        </ul>
      )}
      {pages.hasMore ? (
        <Button size="sm" className="mt-2" onClick={pages.loadMore} disabled={pages.isLoadingMore}>
          {t("common.more")}
        </Button>
      ) : null}
      {open?.kind === "new" ? (
        <NewKey
          onClose={close}
          onMade={(token) => {
            void readAgain();
            setOpen({ kind: "token", token });
          }}
        />
      ) : null}
      {open?.kind === "token" ? <KeyShown token={open.token} onClose={close} /> : null}
      {open?.kind === "revoke" ? (
        <Confirm
          open
          onOpenChange={close}
          title={t("security.revokeAsk", { name: open.key.name })}
          act={t("security.revoke")}
          isDangerous
          onConfirm={() => revoke.mutate(open.key)}
        >
          {t("security.revokeSays")}
        </Confirm>
      ) : null}
    </Panel>
  );
}

function One({ apiKey, onRevoke }: { apiKey: ApiKey; onRevoke: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { name, prefix, permissions, scopes, used_at, expires_at, rate_per_minute, quota_per_day } = apiKey;
  const requests = formats.number(apiKey.requests_today);
  // as a role would say it: how far, where that is not everywhere
  const grants = permissions.map((one) => (scopes[one] ? `${one}:${scopes[one]}` : one)).join(", ");
  const facts = [
    used_at ? t("security.seen", { when: formats.relative(used_at) }) : t("security.neverUsed"),
    expires_at ? t("security.keyUntil", { when: formats.dateTime(expires_at) }) : null,
    rate_per_minute ? t("security.rateOf", { rate: formats.number(rate_per_minute) }) : null,
    quota_per_day
      ? t("security.todayOf", { requests, quota: formats.number(quota_per_day) })
      : t("security.today", { requests }),
  ];
  return (
    <li className="flex items-center gap-3 py-2">
      <div className="min-w-0 flex-1">
        <p className="truncate text-base" title={name}>
          {name} <span className="font-mono text-sm text-faint">pk_{prefix}_…</span>
        </p>
        <p className="text-sm text-muted">{facts.filter(Boolean).join(" · ")}</p>
        <p className="truncate font-mono text-xs text-faint" title={grants}>
          {grants}
        </p>
      </div>
      <Button size="sm" aria-label={t("security.revokeOf", { name })} onClick={onRevoke}>
        {t("security.revoke")}
      </Button>
    </li>
  );
}
