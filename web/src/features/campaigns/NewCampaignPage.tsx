import { Link, Navigate, useNavigate, useSearch } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Failed, Loading } from "@/components/ui/states";
import { api } from "@/lib/api/client";

import { Actions } from "./Actions";
import { EMPTY, everybody, type Form } from "./form";
import { useLines } from "./lines";
import type { Campaign } from "./state";
import { useDraft } from "./useDraft";
import { Wizard } from "./Wizard";

/** A new campaign, step by step. It becomes a draft on the server as soon as it can, and is found again by its address. */
export function NewCampaignPage() {
  const { t } = useTranslation();
  const { draft } = useSearch({ from: "/app/campaigns/new" });
  const { data, error, refetch } = api.useQuery(
    "get",
    "/api/v1/campaigns/{id}",
    { params: { path: { id: draft ?? "" } } },
    { enabled: draft !== undefined },
  );
  const { lines, error: noLines } = useLines();
  if (draft && data && data.state !== "draft") {
    return <Navigate to="/campaigns/$campaignId" params={{ campaignId: draft }} replace />;
  }
  const isReady = (lines ?? noLines) && (!draft || data);
  return (
    <Page
      title={t("nav.newCampaign")}
      back={<Back />}
      actions={data && draft ? <Actions campaign={data} /> : null}
    >
      {isReady ? (
        <Making campaign={data} />
      ) : error ? (
        <Failed error={error} retry={() => void refetch()} />
      ) : (
        <Loading />
      )}
    </Page>
  );
}

function Making({ campaign }: { campaign: Campaign | undefined }) {
  const navigate = useNavigate({ from: "/campaigns/new" });
  const search = useSearch({ from: "/app/campaigns/new" });
  const { lines } = useLines();
  const importId = search.import ?? "";
  const lineId = lines?.[0]?.id ?? "";
  const beginning = useMemo<Form>(
    () => ({
      ...EMPTY,
      line_id: lineId,
      audience: importId ? { ...everybody, kind: "import", importId } : everybody,
    }),
    [lineId, importId],
  );
  const draft = useDraft({
    campaign,
    beginning,
    onMade: ({ id }) =>
      void navigate({ search: (before) => ({ step: before.step, draft: id }), replace: true }),
  });
  return (
    <Wizard
      draft={draft}
      step={search.step ?? "audience"}
      onStep={(step) =>
        void navigate({
          search: (before) => ({ ...before, step, draft: draft.campaign?.id ?? before.draft }),
        })
      }
    />
  );
}

export function Back() {
  const { t } = useTranslation();
  return (
    <Button asChild look="ghost" size="iconSm" aria-label={t("campaigns.back")}>
      <Link to="/campaigns">
        <ChevronLeft aria-hidden />
      </Link>
    </Button>
  );
}
