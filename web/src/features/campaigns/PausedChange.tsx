import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { Leaving } from "@/components/leaving";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { TypedInput } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { toast } from "@/components/ui/toasts";
import { api, client, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";

import { faultsOf, fieldOf } from "./faults";
import { changeOf, type FieldName, type Form, formOf } from "./form";
import { MessageField } from "./MessageField";
import { PaceField } from "./PaceField";
import { Preview, usePreview } from "./Preview";
import { refresh } from "./refresh";
import type { Campaign } from "./state";
import { zoneHere } from "./times";
import { useTellUnsaved } from "./unsaved";

type Edits = Partial<Pick<Form, "body" | "pace" | "ends_at">>;
const HERE: readonly FieldName[] = ["body", "pace", "ends_at"];

/** What may still be changed while nothing goes out: the text of those that have not got it, the pace and the deadline. */
export function PausedChange({ campaign }: { campaign: Campaign }) {
  const { t } = useTranslation();
  const params = { params: { path: { id: campaign.id } } };
  const [edits, setEdits] = useState<Edits>({});
  const [contact, setContact] = useState<Schemas["Contact"] | null>(null);
  const base = formOf(campaign);
  const form = { ...base, ...edits };
  const faults = faultsOf(form, edits);
  const preview = usePreview(form.body, contact?.id);
  const isChanged = JSON.stringify(changeOf(edits)) !== JSON.stringify(changeOf(pick(base, edits)));
  const save = useMutation({
    mutationFn: (sent: Edits) => client.PATCH("/api/v1/campaigns/{id}", { ...params, body: changeOf(sent) }),
    onSuccess: ({ data }, sent) => {
      queryClient.setQueryData(api.queryOptions("get", "/api/v1/campaigns/{id}", params).queryKey, data);
      // what is written meanwhile stays
      setEdits((now) => (JSON.stringify(now) === JSON.stringify(sent) ? {} : now));
      toast("ok", t("campaigns.changed"));
    },
    onSettled: () => refresh(campaign.id),
  });
  useTellUnsaved(isChanged);
  const { error } = save;
  const place = error instanceof ApiError ? fieldOf(error) : undefined;
  const errorAt = (field: FieldName) =>
    error && place === field
      ? errorText(error, t)
      : faults[field] && field in edits
        ? t(`campaigns.faults.${faults[field]}`)
        : undefined;
  const change = (fields: Edits) => {
    if (!save.isPending) save.reset();
    setEdits((now) => ({ ...now, ...fields }));
  };
  const isWrong = HERE.some((field) => faults[field] && field in edits) || preview.fault !== undefined;
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (isChanged && !isWrong && !save.isPending) save.mutate(edits);
  };
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
      <Panel title={t("campaigns.changePaused")}>
        <form onSubmit={onSubmit} className="flex flex-col gap-4">
          <p className="text-sm text-muted">{t("campaigns.changePausedHint")}</p>
          <MessageField
            value={form.body}
            onChange={(body) => change({ body })}
            error={errorAt("body") ?? preview.fault}
            attributes={Object.keys(contact?.attributes ?? {})}
          />
          <div className="grid gap-4 sm:grid-cols-2">
            <PaceField value={form.pace} onChange={(pace) => change({ pace })} error={errorAt("pace")} />
            <Field
              label={t("campaigns.endsAt")}
              hint={t("campaigns.endsAtHint", { zone: zoneHere() })}
              error={errorAt("ends_at")}
            >
              <TypedInput
                type="datetime-local"
                value={form.ends_at}
                onValue={(ends_at) => change({ ends_at })}
              />
            </Field>
          </div>
          {error && !(place && HERE.includes(place)) ? (
            <Notice tone="bad" isAlert>
              {errorText(error, t)}
            </Notice>
          ) : null}
          <div className="flex flex-wrap items-center gap-3">
            <Button type="submit" disabled={!isChanged || isWrong || save.isPending}>
              {t("campaigns.saveChanges")}
            </Button>
            <p role="status" className="text-sm text-muted">
              {isWrong
                ? t("campaigns.mendFirst")
                : isChanged
                  ? t("campaigns.saveBeforeResume")
                  : t("campaigns.nothingChanged")}
            </p>
          </div>
        </form>
      </Panel>
      <Preview preview={preview} contact={contact} onChoose={setContact} />
      <Leaving
        isUnsaved={isChanged}
        isSaving={save.isPending}
        discard={() => setEdits({})}
        text={t("campaigns.leavePaused")}
      />
    </div>
  );
}

function pick(form: Form, edits: Edits): Edits {
  return Object.fromEntries(Object.keys(edits).map((field) => [field, form[field as keyof Edits]]));
}
