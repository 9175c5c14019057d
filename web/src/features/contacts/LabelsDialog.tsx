import { useMutation } from "@tanstack/react-query";
import { Pencil, Plus, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useMay } from "@/lib/session";

import { type Label, makeLabel, refreshContacts, refreshLabels, useLabels } from "./labels";

/** Makes, renames and deletes labels. */
export function LabelsDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const may = useMay();
  const { labels, isPending } = useLabels();
  const make = useMutation({ mutationFn: makeLabel });
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const name = String(new FormData(form).get("name")).trim();
    make.mutate(name, { onSuccess: () => form.reset() });
  };
  return (
    <Dialog
      side
      open
      onOpenChange={onClose}
      title={t("contacts.label.manage")}
      description={t("contacts.label.manageHint")}
    >
      {may("contacts.edit") ? (
        <form onSubmit={onSubmit} noValidate className="mb-4 flex items-start gap-2">
          <Field
            label={t("contacts.label.new")}
            error={make.error ? errorText(make.error, t) : undefined}
            className="flex-1"
          >
            <Input name="name" maxLength={200} autoComplete="off" autoFocus />
          </Field>
          <Button type="submit" look="solid" className="mt-6" disabled={make.isPending}>
            <Plus aria-hidden />
            {t("contacts.label.create")}
          </Button>
        </form>
      ) : null}
      {isPending ? (
        <Loading />
      ) : labels.length === 0 ? (
        <p className="text-sm text-muted">{t("contacts.label.empty")}</p>
      ) : (
        <ul aria-label={t("contacts.labels")} className="divide-y divide-line border-y border-line">
          {labels.map((label) => (
            <Row key={label.id} label={label} canEdit={may("contacts.edit")} />
          ))}
        </ul>
      )}
    </Dialog>
  );
}

function Row({ label: { id, name }, canEdit }: { label: Label; canEdit: boolean }) {
  const { t } = useTranslation();
  const [isEdited, setEdited] = useState(false);
  const [isAsked, setAsked] = useState(false);
  const params = { params: { path: { id } } };
  const rename = useMutation({
    mutationFn: (next: string) =>
      client.PATCH("/api/v1/contact-labels/{id}", { ...params, body: { name: next } }),
    onSuccess: async () => {
      await refreshLabels();
      setEdited(false);
    },
  });
  const remove = useMutation({
    mutationFn: () => client.DELETE("/api/v1/contact-labels/{id}", params),
    onSuccess: () => Promise.all([refreshLabels(), refreshContacts()]),
    onError: (error) => toast("bad", errorText(error, t)),
  });
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    rename.mutate(String(new FormData(event.currentTarget).get("name")).trim());
  };
  if (isEdited) {
    return (
      <li className="py-2">
        <form onSubmit={onSubmit} noValidate className="flex flex-col gap-2">
          <Field
            label={t("contacts.label.name")}
            error={rename.error ? errorText(rename.error, t) : undefined}
          >
            <Input name="name" defaultValue={name} maxLength={200} autoComplete="off" autoFocus />
          </Field>
          <div className="flex justify-end gap-2">
            <Button size="sm" onClick={() => setEdited(false)}>
              {t("common.cancel")}
            </Button>
            <Button size="sm" type="submit" look="solid" disabled={rename.isPending}>
              {t("common.save")}
            </Button>
          </div>
        </form>
      </li>
    );
  }
  return (
    <li className="flex items-center gap-1 py-1.5">
      <span className="min-w-0 flex-1 text-sm [overflow-wrap:anywhere]">{name}</span>
      {canEdit ? (
        <>
          <Button
            look="ghost"
            size="iconSm"
            aria-label={t("contacts.label.rename", { name })}
            onClick={() => setEdited(true)}
          >
            <Pencil aria-hidden />
          </Button>
          <Button
            look="ghost"
            size="iconSm"
            aria-label={t("contacts.label.delete", { name })}
            disabled={remove.isPending}
            onClick={() => setAsked(true)}
          >
            <Trash2 aria-hidden />
          </Button>
        </>
      ) : null}
      <Confirm
        open={isAsked}
        onOpenChange={setAsked}
        title={t("contacts.label.deleteTitle", { name })}
        act={t("contacts.choice.delete")}
        isDangerous
        onConfirm={() => remove.mutate()}
      >
        {t("contacts.label.deleteText")}
      </Confirm>
    </li>
  );
}
