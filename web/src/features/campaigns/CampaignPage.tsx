import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Failed, Loading } from "@/components/ui/states";
import { api } from "@/lib/api/client";
import { useEvent } from "@/lib/live";
import { useMay } from "@/lib/session";

import { Actions } from "./Actions";
import { CheckStep } from "./CheckStep";
import { EMPTY } from "./form";
import { Back } from "./NewCampaignPage";
import { refresh } from "./refresh";
import { Results } from "./Results";
import { Scheduled } from "./Scheduled";
import { type Campaign, CampaignState } from "./state";
import { useDraft } from "./useDraft";
import { Wizard } from "./Wizard";

/** A draft that is gone on with, one that waits for its time, or how a campaign goes. */
export function CampaignPage() {
  const { t } = useTranslation();
  const { campaignId } = useParams({ from: "/app/campaigns/$campaignId" });
  const query = api.useQuery("get", "/api/v1/campaigns/{id}", { params: { path: { id: campaignId } } });
  useEvent("campaign.progress", ({ campaign_id, state }) => {
    // an answer on its way may know nothing of a new state
    if (campaign_id === campaignId) void refresh(campaignId, state !== "active");
  });
  const campaign = query.data;
  return (
    <Page
      title={campaign?.name ?? t("nav.campaigns")}
      back={<Back />}
      aside={campaign ? <CampaignState state={campaign.state} /> : null}
      actions={campaign ? <Actions campaign={campaign} /> : null}
    >
      {campaign ? (
        campaign.state === "draft" ? (
          <Draft campaign={campaign} key={campaign.id} />
        ) : campaign.state === "scheduled" ? (
          <Scheduled campaign={campaign} />
        ) : (
          <Results campaign={campaign} />
        )
      ) : query.error ? (
        <Failed error={query.error} retry={() => void query.refetch()} />
      ) : (
        <Loading />
      )}
    </Page>
  );
}

const nothing = () => undefined;

function Draft({ campaign }: { campaign: Campaign }) {
  const may = useMay();
  const navigate = useNavigate({ from: "/campaigns/$campaignId" });
  const { step } = useSearch({ from: "/app/campaigns/$campaignId" });
  const draft = useDraft({ campaign, beginning: EMPTY, onMade: nothing });
  if (!may("campaigns.edit")) return <CheckStep draft={draft} isAsked go={nothing} />;
  return (
    <Wizard
      draft={draft}
      step={step ?? "check"}
      onStep={(to) => void navigate({ search: (before) => ({ ...before, step: to }) })}
    />
  );
}
