import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { sessionQuery } from "@/lib/session";

interface DeviceAnswersProps {
  /** A session of the new browser. */
  sessionId: string;
  browser: string;
  /** This browser is known, so it may say that it was the person. */
  mayBeRecognized: boolean;
}

/** Whose a new browser is: one's own, or somebody's whose sessions end. */
export function DeviceAnswers({ sessionId, browser, mayBeRecognized }: DeviceAnswersProps) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const answer = useMutation({
    mutationFn: async (wasMe: boolean) => {
      const of = { params: { path: { id: sessionId } } };
      if (wasMe) await client.POST("/api/v1/sessions/{id}/recognition", of);
      else await client.DELETE("/api/v1/sessions/{id}", of);
    },
    onSuccess: (_, wasMe) => {
      if (wasMe) toast("ok", t("security.deviceKnown"));
      else {
        // stays until it is closed: whoever was there knows what to log in with
        toast("bad", t("security.deviceEnded"), {
          text: t("security.changePassword"),
          run: () => void navigate({ to: "/settings/security" }),
        });
      }
      return Promise.all([
        queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey }),
        queryClient.invalidateQueries({ queryKey: [PAGES, "sessions"] }),
      ]);
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  return (
    <div className="flex shrink-0 gap-2">
      {mayBeRecognized ? (
        <Button
          size="sm"
          aria-label={t("security.wasMeBy", { browser })}
          disabled={answer.isPending}
          onClick={() => answer.mutate(true)}
        >
          {t("security.wasMe")}
        </Button>
      ) : null}
      <Button
        size="sm"
        look="danger"
        aria-label={t("security.wasNotMeBy", { browser })}
        disabled={answer.isPending}
        onClick={() => answer.mutate(false)}
      >
        {t("security.wasNotMe")}
      </Button>
    </div>
  );
}
