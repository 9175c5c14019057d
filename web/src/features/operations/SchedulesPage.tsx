import { CalendarClock } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Failed, Loading } from "@/components/ui/states";
import { api, client, type Schemas } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useTitle } from "@/lib/title";

import { type Act, Acts } from "./Acts";
import { Rows, useRows } from "./Rows";

export function SchedulesPage() {
  const { t } = useTranslation();
  useTitle(t("operations.tabs.schedules"));
  const formats = useFormats();
  const schedules = useRows(["schedules"], (query) =>
    client.GET("/api/v1/platform/schedules", { params: { query } }),
  );
  const acts = useScheduleActs();
  const [shown, setShown] = useState<string | null>(null);
  return (
    <>
      <h1 className="sr-only">{t("operations.tabs.schedules")}</h1>
      <Rows
        title={t("operations.tabs.schedules")}
        icon={CalendarClock}
        pages={schedules}
        keyOf={(schedule) => schedule.name}
        empty={t("operations.schedules.empty")}
        columns={[
          {
            head: t("operations.schedules.schedule"),
            cell: (schedule) => (
              <div>
                <p className="font-medium">{schedule.name}</p>
                <p className="font-mono text-xs text-faint">
                  {schedule.cron} · {schedule.time_zone}
                </p>
              </div>
            ),
          },
          { head: t("operations.state"), cell: (schedule) => <ScheduleState schedule={schedule} /> },
          {
            head: t("operations.schedules.next"),
            cell: (schedule) => (
              <Button look="ghost" size="sm" className="-ml-2.5" onClick={() => setShown(schedule.name)}>
                {formats.relative(schedule.next_fire_at)}
              </Button>
            ),
          },
          {
            head: t("operations.schedules.last"),
            isExtra: true,
            cell: (schedule) => (schedule.last_fired_at ? formats.relative(schedule.last_fired_at) : "—"),
          },
          {
            head: t("operations.schedules.skipped"),
            isNumber: true,
            isExtra: true,
            cell: (schedule) => formats.number(schedule.skipped_count),
          },
          {
            head: t("operations.acts"),
            isNumber: true,
            cell: (schedule) => <Acts of={schedule.name} acts={acts(schedule)} />,
          },
        ]}
      />
      {shown ? <Preview name={shown} onClose={() => setShown(null)} /> : null}
    </>
  );
}

function ScheduleState({ schedule }: { schedule: Schemas["Schedule"] }) {
  const { t } = useTranslation();
  if (schedule.retired_at) return <Badge>{t("operations.schedules.retired")}</Badge>;
  if (schedule.paused_at) return <Badge tone="warn">{t("operations.schedules.paused")}</Badge>;
  return <Badge tone="ok">{t("operations.schedules.active")}</Badge>;
}

/** The next fires, as the clock of the schedule's zone will show them: also where it is put forward or back. */
function Preview({ name, onClose }: { name: string; onClose: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const preview = api.useQuery("get", "/api/v1/platform/schedules/{name}/preview", {
    params: { path: { name }, query: { count: 50 } },
  });
  return (
    <Dialog
      side
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={name}
      description={t("operations.schedules.previewAbout")}
    >
      {preview.isPending ? <Loading /> : null}
      {preview.error ? <Failed error={preview.error} retry={() => void preview.refetch()} /> : null}
      <ol className="flex flex-col gap-1 text-sm tabular-nums">
        {preview.data?.fires.map((fire) => (
          <li key={fire.at} className="flex flex-wrap justify-between gap-x-3">
            <span>{fire.local}</span>
            <span className="text-faint">{formats.relative(fire.at)}</span>
            {fire.dst ? <Badge tone="info">{t("operations.schedules.dst")}</Badge> : null}
          </li>
        ))}
      </ol>
    </Dialog>
  );
}

function useScheduleActs(): (schedule: Schemas["Schedule"]) => Act[] {
  const { t } = useTranslation();
  return ({ name, paused_at, retired_at }) => {
    if (retired_at) return [];
    const params = { path: { name } };
    return [
      {
        name: t("operations.schedules.fire"),
        about: t("operations.schedules.fireAbout"),
        run: (body) => client.POST("/api/v1/platform/schedules/{name}/fire", { params, body }),
      },
      paused_at
        ? {
            name: t("common.resume"),
            about: t("operations.schedules.resumeAbout"),
            run: (body) => client.POST("/api/v1/platform/schedules/{name}/resume", { params, body }),
          }
        : {
            name: t("common.pause"),
            about: t("operations.schedules.pauseAbout"),
            run: (body) => client.POST("/api/v1/platform/schedules/{name}/pause", { params, body }),
          },
    ];
  };
}
