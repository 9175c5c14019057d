import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { RotateCw } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";
import { useLater } from "@/lib/later";

import { AudienceTable } from "./AudienceTable";
import { audienceOf, type Chosen } from "./form";

const QUIET_MS = 300;

/** How many it is, who would not get it and why, while it is chosen. The last choice has the last word, and numbers of another say so. */
export function Counted({ chosen, className }: { chosen: Chosen; className?: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const wanted = JSON.stringify(audienceOf(chosen));
  const asked = useLater(wanted, QUIET_MS);
  const isWhole = wanted !== "null";
  const query = useQuery({
    queryKey: ["campaigns", "count", asked],
    queryFn: async ({ signal }) => {
      const { import_id, audience } = JSON.parse(asked) as NonNullable<ReturnType<typeof audienceOf>>;
      const body: Schemas["AudienceBody"] = {
        import_id,
        filter: audience as Schemas["ContactFilter"] | null,
      };
      return (await client.POST("/api/v1/campaigns/audience", { body, signal })).data ?? null;
    },
    enabled: asked !== "null",
    placeholderData: keepPreviousData,
    // contacts come and go
    staleTime: 0,
  });
  const { data, error } = query;
  const isOld = asked !== wanted || query.isFetching;
  const said = !isWhole
    ? t("campaigns.countNothing")
    : error && !isOld
      ? ""
      : isOld
        ? t(data ? "campaigns.countOld" : "campaigns.counting")
        : data
          ? t("campaigns.counted", {
              eligible: formats.number(data.eligible),
              selected: formats.number(data.selected),
              count: data.eligible,
            })
          : "";
  return (
    <Panel title={t("campaigns.count")} className={className}>
      {isWhole && data ? <AudienceTable {...data} /> : null}
      {isWhole && error && !isOld ? (
        <Notice tone="bad" isAlert>
          {errorText(error, t)}
        </Notice>
      ) : null}
      <div className="mt-3 flex items-center justify-between gap-3">
        <p role="status" className="text-sm text-muted">
          {said}
        </p>
        {isWhole ? (
          <Button
            size="iconSm"
            look="ghost"
            aria-label={t("campaigns.countAgain")}
            title={
              data ? t("campaigns.countedAt", { when: formats.seconds(new Date(query.dataUpdatedAt)) }) : ""
            }
            onClick={() => void query.refetch()}
          >
            <RotateCw aria-hidden />
          </Button>
        ) : null}
      </div>
    </Panel>
  );
}
