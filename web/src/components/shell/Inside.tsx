import { useMutation } from "@tanstack/react-query";
import { TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { client, type Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";

/** An operator of the platform is inside in this person's place: it is seen on every screen, with the way out. */
export function Inside({ of, as }: { of: Schemas["OwnImpersonation"]; as: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const end = useMutation({
    mutationFn: () => client.DELETE("/api/v1/session"),
    // what was seen as somebody else stays nowhere
    onSettled: () => window.location.assign("/operations/tenants"),
  });
  return (
    <div
      role="region"
      aria-label={t("usage.inside.label")}
      className="flex shrink-0 flex-wrap items-center gap-x-3 gap-y-1 bg-warn-soft px-4 py-1.5 text-sm text-warn"
    >
      <TriangleAlert aria-hidden className="size-4 shrink-0" />
      <p className="min-w-0 flex-1 [overflow-wrap:anywhere]">
        {t("usage.inside.says", {
          operator: of.operator_name,
          user: as,
          until: formats.time(of.expires_at),
          reason: of.reason,
        })}
      </p>
      <Button size="sm" disabled={end.isPending} onClick={() => end.mutate()}>
        {t("usage.inside.end")}
      </Button>
    </div>
  );
}
