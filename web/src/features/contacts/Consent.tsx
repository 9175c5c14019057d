import { useMutation } from "@tanstack/react-query";
import { Ban, CircleCheck } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import { api, client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";
import { useFormats } from "@/lib/format";
import { useMay } from "@/lib/session";

/** Whether the address may be written to, why not, and the ways to change that. */
export function Consent({ address }: { address: string }) {
  const may = useMay();
  return may("consent.view") ? <Shown address={address} /> : null;
}

function Shown({ address }: { address: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const may = useMay();
  const init = { params: { query: { address } } };
  const { data, error } = api.useQuery("get", "/api/v1/suppressions", init);
  const changed = {
    onSuccess: () =>
      queryClient.invalidateQueries({
        queryKey: api.queryOptions("get", "/api/v1/suppressions", init).queryKey,
      }),
    onError: (failure: Error) => toast("bad", errorText(failure, t)),
  };
  const block = useMutation({
    mutationFn: () => client.POST("/api/v1/suppressions", { body: { address, reason: "blacklisted" } }),
    ...changed,
  });
  const lift = useMutation({
    mutationFn: () => client.DELETE("/api/v1/suppressions/{address}", { params: { path: { address } } }),
    ...changed,
  });
  const isBusy = block.isPending || lift.isPending;
  return (
    <section className="rounded-md border border-line p-3">
      <h3 className="mb-2 text-sm font-semibold">{t("consent.title")}</h3>
      {error ? <p className="text-sm text-bad">{errorText(error, t)}</p> : null}
      {data?.items.length === 0 ? (
        <p className="flex items-center gap-2 text-sm text-muted">
          <CircleCheck aria-hidden className="size-4 text-ok" />
          {t("consent.allowed")}
        </p>
      ) : null}
      <ul className="flex flex-col gap-2">
        {data?.items.map(({ reason, created_at, source }) => (
          <li key={reason} className="text-sm">
            <Badge tone={reason === "opt_out_review" ? "warn" : "bad"} className="mr-2">
              {t(`consent.reasons.${reason}`)}
            </Badge>
            <span className="text-muted">
              {t(source === "keyword" ? "consent.byMessage" : "consent.byUs", {
                when: formats.date(created_at),
              })}
            </span>
          </li>
        ))}
      </ul>
      {data && data.items.length > 0 && may("consent.opt_in_override") ? (
        <Button className="mt-3" size="sm" disabled={isBusy} onClick={() => lift.mutate()}>
          {t("consent.lift")}
        </Button>
      ) : null}
      {data?.items.length === 0 && may("consent.opt_out") ? (
        <Button className="mt-3" size="sm" disabled={isBusy} onClick={() => block.mutate()}>
          <Ban aria-hidden />
          {t("consent.block")}
        </Button>
      ) : null}
    </section>
  );
}
