import { Route } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { client, type Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";

import { type Act, Acts } from "./Acts";
import { Rows, useRows } from "./Rows";
import { Whose } from "./states";

/** Counting a lane's jobs stops here. */
const MOST_COUNTED = 10_000;

export function LanesPage() {
  const { t } = useTranslation();
  useTitle(t("operations.tabs.lanes"));
  const formats = useFormats();
  const lanes = useRows(["lanes"], (query) => client.GET("/api/v1/platform/lanes", { params: { query } }));
  const acts = useLaneActs();
  const count = (jobs: number) =>
    jobs > MOST_COUNTED ? t("why.moreThan", { n: formats.number(MOST_COUNTED) }) : formats.number(jobs);
  return (
    <>
      <h1 className="sr-only">{t("operations.tabs.lanes")}</h1>
      <Rows
        title={t("operations.tabs.lanes")}
        icon={Route}
        pages={lanes}
        keyOf={(lane) => lane.id}
        empty={t("operations.lanes.empty")}
        columns={[
          {
            head: t("operations.lanes.lane"),
            cell: (lane) => (
              <div>
                <p className="font-medium max-sm:w-40 max-sm:whitespace-normal max-sm:[overflow-wrap:anywhere]">
                  {lane.key}
                </p>
                <p className="text-xs text-faint">
                  <Whose tenant={lane.tenant_number} /> · {lane.queue}
                </p>
              </div>
            ),
          },
          { head: t("operations.state"), cell: (lane) => <LaneState lane={lane} /> },
          { head: t("operations.lanes.jobs"), isNumber: true, cell: (lane) => count(lane.jobs) },
          {
            head: t("operations.queues.scheduled"),
            isNumber: true,
            isExtra: true,
            cell: (lane) => count(lane.scheduled),
          },
          {
            head: t("operations.lanes.weight"),
            isNumber: true,
            isExtra: true,
            cell: (lane) => formats.number(lane.weight),
          },
          {
            head: t("operations.acts"),
            isNumber: true,
            cell: (lane) => <Acts of={lane.key} acts={acts(lane)} />,
          },
        ]}
      />
    </>
  );
}

function LaneState({ lane }: { lane: Schemas["Lane"] }) {
  const { t } = useTranslation();
  if (lane.cancelled_at) return <Badge>{t("operations.lanes.cancelled")}</Badge>;
  if (lane.paused_at) return <Badge tone="warn">{t("operations.lanes.paused")}</Badge>;
  return <Badge tone="ok">{t("operations.lanes.open")}</Badge>;
}

function useLaneActs(): (lane: Schemas["Lane"]) => Act[] {
  const { t } = useTranslation();
  return ({ id, paused_at, cancelled_at }) => {
    if (cancelled_at) return [];
    const params = { path: { id } };
    const pause: Act = {
      name: t("common.pause"),
      about: t("operations.lanes.pauseAbout"),
      run: (body) => client.POST("/api/v1/platform/lanes/{id}/pause", { params, body }),
    };
    const resume: Act = {
      name: t("common.resume"),
      about: t("operations.lanes.resumeAbout"),
      run: (body) => client.POST("/api/v1/platform/lanes/{id}/resume", { params, body }),
    };
    const cancel: Act = {
      name: t("operations.cancel"),
      about: t("operations.lanes.cancelAbout"),
      isDangerous: true,
      run: (body) => client.POST("/api/v1/platform/lanes/{id}/cancel", { params, body }),
    };
    return [paused_at ? resume : pause, cancel];
  };
}
