import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Panel } from "@/components/ui/panel";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { api, client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGE_ROWS, PAGES, usePages } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useAway } from "@/lib/away";
import { useFormats } from "@/lib/format";
import { useMe } from "@/lib/session";

type Identity = Schemas["Identity"];

const nameOf = ({ provider_name, issuer }: Identity) => provider_name ?? issuer;

/** By whom somebody is known, and who else could be linked. */
export function Identities() {
  const { t } = useTranslation();
  const { tenant } = useMe();
  const [leaving, setLeaving] = useState<Identity | null>(null);
  const known = usePages(["identities"], (cursor, signal) =>
    client.GET("/api/v1/identities", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  const { data: others } = api.useQuery("get", "/api/v1/session/providers", {
    params: { query: { tenant: tenant.slug } },
  });
  const link = useAway((provider: string) =>
    client.POST("/api/v1/identities", { body: { provider, return_to: "/settings/security?done=linked" } }),
  );
  const unlink = useMutation({
    mutationFn: (id: string) => client.DELETE("/api/v1/identities/{id}", { params: { path: { id } } }),
    onSuccess: () => {
      toast("ok", t("providers.unlinked"));
      return queryClient.invalidateQueries({ queryKey: [PAGES] });
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  const free = (others?.items ?? []).filter(({ id }) => !known.rows.some(({ provider }) => provider === id));
  // an account without providers has nothing to say here
  if (!known.isPending && !known.error && known.rows.length === 0 && free.length === 0) return null;
  return (
    <Panel title={t("providers.identities")}>
      <p className="text-sm text-muted">{t("providers.identitiesSays")}</p>
      {known.isPending ? (
        <Loading />
      ) : known.error ? (
        <Failed error={known.error} retry={known.refetch} />
      ) : known.rows.length === 0 ? (
        <p className="mt-2 text-sm text-faint">{t("providers.noIdentities")}</p>
      ) : (
        <ul aria-label={t("providers.identities")} className="mt-2 divide-y divide-line">
          {known.rows.map((identity) => (
            <One key={identity.id} identity={identity} onUnlink={() => setLeaving(identity)} />
          ))}
        </ul>
      )}
      <div className="mt-3 flex flex-wrap gap-2 empty:hidden">
        {free.map(({ id, name }) => (
          <Button key={id} disabled={link.isPending} onClick={() => link.mutate(id)}>
            {t("providers.link", { name })}
          </Button>
        ))}
      </div>
      {link.error ? (
        <p role="alert" className="mt-2 text-sm text-bad">
          {errorText(link.error, t)}
        </p>
      ) : null}
      <Confirm
        open={leaving !== null}
        onOpenChange={() => setLeaving(null)}
        title={t("providers.unlinkAsk", { name: leaving ? nameOf(leaving) : "" })}
        act={t("providers.unlink")}
        isDangerous
        onConfirm={() => leaving && unlink.mutate(leaving.id)}
      >
        {t("providers.unlinkSays")}
      </Confirm>
    </Panel>
  );
}

function One({ identity, onUnlink }: { identity: Identity; onUnlink: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const name = nameOf(identity);
  const used = identity.used_at
    ? t("providers.used", { when: formats.relative(identity.used_at) })
    : t("providers.neverUsed");
  return (
    <li className="flex items-center gap-3 py-2">
      <div className="min-w-0 flex-1">
        <p className="truncate text-base" title={identity.issuer}>
          {name}
        </p>
        <p className="truncate text-sm text-muted">{[identity.email, used].filter(Boolean).join(" · ")}</p>
      </div>
      {identity.provider ? null : <Badge>{t("providers.gone")}</Badge>}
      <Button size="sm" aria-label={t("providers.unlinkOf", { name })} onClick={onUnlink}>
        {t("providers.unlink")}
      </Button>
    </li>
  );
}
