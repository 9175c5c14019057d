import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { CalendarClock, Rocket } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { client } from "@/lib/api/client";
import { ApiError } from "@/lib/api/error";
import { useFormats } from "@/lib/format";

import { refresh } from "./refresh";
import type { Campaign } from "./state";
import { momentOf } from "./times";
import type { Draft } from "./useDraft";
import { momentText } from "./words";

interface LaunchProps {
  campaign: Campaign;
  draft: Draft;
  /** How many would get it. */
  count: number;
  /** Why it can't be launched, if so. */
  why: string | null;
}

/** Sends it off now, or gives it the time that was chosen. */
export function Launch({ campaign: { id, name }, draft, count, why }: LaunchProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  const navigate = useNavigate();
  const [isAsked, setAsked] = useState(false);
  const { isLater, at } = draft.form.start;
  const params = { params: { path: { id } } };
  const launch = useMutation({
    mutationFn: async (): Promise<unknown> => {
      if (!isLater) return client.POST("/api/v1/campaigns/{id}/launch", params);
      const starts_at = momentOf(at)?.toISOString() ?? at;
      return client.POST("/api/v1/campaigns/{id}/schedule", { ...params, body: { starts_at } });
    },
    onMutate: () => draft.report(null),
    onSuccess: () => {
      draft.discard();
      return navigate({ to: "/campaigns/$campaignId", params: { campaignId: id }, replace: true });
    },
    onError: (error) => draft.report(error instanceof ApiError ? error : ApiError.unreachable()),
    onSettled: () => refresh(id),
  });
  const act = isLater ? t("campaigns.schedule") : t("campaigns.launch");
  return (
    <>
      <Button
        look="solid"
        size="lg"
        disabled={why !== null || launch.isPending}
        onClick={() => setAsked(true)}
      >
        {isLater ? <CalendarClock aria-hidden /> : <Rocket aria-hidden />}
        {act}
      </Button>
      {why ? <p className="text-sm text-muted">{why}</p> : null}
      <Confirm
        open={isAsked}
        onOpenChange={setAsked}
        title={t(isLater ? "campaigns.scheduleTitle" : "campaigns.launchTitle", { name })}
        act={t(isLater ? "campaigns.scheduleIt" : "campaigns.launchNow")}
        onConfirm={() => launch.mutate()}
      >
        {isLater
          ? t("campaigns.scheduleText", {
              count,
              people: formats.number(count),
              when: momentText(at, t, formats),
            })
          : t("campaigns.launchText", { count, people: formats.number(count) })}
      </Confirm>
    </>
  );
}
