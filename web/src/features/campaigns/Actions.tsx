import { useMutation } from "@tanstack/react-query";
import { Ban, Pause, Play } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { toast } from "@/components/ui/toasts";
import { api, client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useMay } from "@/lib/session";

import { refresh } from "./refresh";
import type { Campaign } from "./state";
import { useUnsaved } from "./unsaved";

/** Pause, resume, cancel: those that the state and the permissions allow. */
export function Actions({ campaign: { id, state, name } }: { campaign: Campaign }) {
  const { t } = useTranslation();
  const may = useMay();
  const [isAsked, setAsked] = useState(false);
  const params = { params: { path: { id } } };
  const act = useMutation({
    mutationFn: (what: "pause" | "resume" | "cancel") => {
      if (what === "pause") return client.POST("/api/v1/campaigns/{id}/pause", params);
      if (what === "resume") return client.POST("/api/v1/campaigns/{id}/resume", params);
      return client.POST("/api/v1/campaigns/{id}/cancel", params);
    },
    // where it stands is known by the answer: the next act need not wait until everything else has been read again
    onSuccess: ({ data }) =>
      data &&
      queryClient.setQueryData(api.queryOptions("get", "/api/v1/campaigns/{id}", params).queryKey, data),
    onError: (error) => toast("bad", errorText(error, t)),
    onSettled: () => void refresh(id),
  });
  const canPause = may("campaigns.pause_resume") && (state === "active" || state === "paused");
  const canCancel = may("campaigns.cancel") && ["draft", "scheduled", "active", "paused"].includes(state);
  const isUnsaved = useUnsaved();
  const turn = () => {
    if (act.isPending) return;
    if (state === "paused" && isUnsaved) toast("bad", t("campaigns.saveBeforeResume"));
    else act.mutate(state === "active" ? "pause" : "resume");
  };
  useShortcuts(
    canPause
      ? [{ keys: "p", label: t("campaigns.pauseOrResume"), group: t("nav.campaigns"), run: turn }]
      : [],
    state,
  );
  return (
    <>
      {canCancel ? (
        <Button disabled={act.isPending} onClick={() => setAsked(true)}>
          <Ban aria-hidden />
          {t(state === "draft" ? "campaigns.discard" : "campaigns.cancel")}
        </Button>
      ) : null}
      {canPause ? (
        <Button look={state === "paused" ? "solid" : "plain"} disabled={act.isPending} onClick={turn}>
          {state === "active" ? <Pause aria-hidden /> : <Play aria-hidden />}
          {t(state === "active" ? "common.pause" : "common.resume")}
        </Button>
      ) : null}
      <Confirm
        open={isAsked}
        onOpenChange={setAsked}
        title={t("campaigns.cancelTitle", { name })}
        act={t(state === "draft" ? "campaigns.discard" : "campaigns.cancel")}
        isDangerous
        onConfirm={() => act.mutate("cancel")}
      >
        {t(state === "draft" ? "campaigns.discardText" : "campaigns.cancelText")}
      </Confirm>
    </>
  );
}
