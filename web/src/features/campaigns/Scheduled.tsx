import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { client } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";
import { useMay } from "@/lib/session";

import { Chosen } from "./CheckStep";
import { formOf } from "./form";
import { refresh } from "./refresh";
import type { Campaign } from "./state";
import { localOf, momentOf, zoneHere } from "./times";
import { momentText } from "./words";

/** A campaign that waits for its time: what will go out and when, another time for it, or none. */
export function Scheduled({ campaign }: { campaign: Campaign }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const may = useMay();
  const at = campaign.starts_at ? localOf(campaign.starts_at) : "";
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
      <Chosen form={formOf(campaign)} go={undefined} />
      <Panel title={t("campaigns.start")}>
        <p className="text-base">{t("campaigns.startsAt", { when: momentText(at, t, formats) })}</p>
        <p className="mt-1 text-sm text-muted">{t("campaigns.scheduledHint")}</p>
        {may("campaigns.launch") ? <Move id={campaign.id} at={at} key={at} /> : null}
      </Panel>
    </div>
  );
}

function Move({ id, at }: { id: string; at: string }) {
  const { t } = useTranslation();
  const [time, setTime] = useState(at);
  const params = { params: { path: { id } } };
  const onSettled = () => refresh(id);
  const move = useMutation({
    mutationFn: (starts_at: string) =>
      client.POST("/api/v1/campaigns/{id}/schedule", { ...params, body: { starts_at } }),
    onSettled,
  });
  const callOff = useMutation({
    mutationFn: () => client.POST("/api/v1/campaigns/{id}/unschedule", params),
    onSettled,
  });
  const moment = time ? momentOf(time) : null;
  const fault = time && !moment ? t("campaigns.faults.noHour") : undefined;
  const isOfTime = move.error instanceof ApiError && move.error.field === "starts_at";
  const error = callOff.error ?? (isOfTime ? null : move.error);
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (moment) move.mutate(moment.toISOString());
  };
  return (
    <div className="mt-4 flex flex-col gap-3 border-t border-line pt-4">
      <form onSubmit={onSubmit} className="flex flex-col gap-3">
        <Field
          label={t("campaigns.moveTo")}
          hint={t("campaigns.clockHere", { zone: zoneHere() })}
          error={fault ?? (isOfTime ? errorText(move.error, t) : undefined)}
        >
          <Input
            type="datetime-local"
            required
            value={time}
            onChange={({ target }) => {
              setTime(target.value);
              move.reset();
            }}
          />
        </Field>
        <div className="flex flex-wrap gap-2">
          <Button type="submit" disabled={move.isPending}>
            {t("campaigns.move")}
          </Button>
          <Button onClick={() => callOff.mutate()} disabled={callOff.isPending}>
            {t("campaigns.unschedule")}
          </Button>
        </div>
      </form>
      {error ? (
        <Notice tone="bad" isAlert>
          {errorText(error, t)}
        </Notice>
      ) : null}
    </div>
  );
}
