import { useMutation, useQuery } from "@tanstack/react-query";
import { Check, Pencil, Plus, Trash2 } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Failed } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { whole } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useMay } from "@/lib/session";

type Member = Schemas["HouseholdMember"];

const keyOf = (contactId: string) => ["contacts", "household", contactId] as const;
const refresh = (contactId: string) => queryClient.invalidateQueries({ queryKey: keyOf(contactId) });

/** Who lives with a contact. What a person has confirmed is theirs: no import touches it. */
export function Household({ contactId }: { contactId: string }) {
  const { t } = useTranslation();
  const may = useMay();
  const [isAdded, setAdded] = useState(false);
  const { data, error, refetch } = useQuery({
    queryKey: keyOf(contactId),
    queryFn: () =>
      whole((query) =>
        client.GET("/api/v1/contacts/{id}/household", { params: { path: { id: contactId }, query } }),
      ),
  });
  const canEdit = may("contacts.edit");
  return (
    <section aria-label={t("contacts.household.title")}>
      <h3 className="text-sm font-semibold">{t("contacts.household.title")}</h3>
      <p className="mt-0.5 mb-2 text-xs text-faint">{t("contacts.household.hint")}</p>
      {error ? <Failed className="py-4" error={error} retry={() => void refetch()} /> : null}
      {data?.length === 0 ? (
        <p className="text-sm text-muted">{t("contacts.household.empty")}</p>
      ) : (
        <ul className="divide-y divide-line">
          {data?.map((member) => (
            <Row key={member.id} contactId={contactId} member={member} canEdit={canEdit} />
          ))}
        </ul>
      )}
      {isAdded ? (
        <MemberForm contactId={contactId} onDone={() => setAdded(false)} />
      ) : canEdit ? (
        <Button size="sm" className="mt-2" onClick={() => setAdded(true)}>
          <Plus aria-hidden />
          {t("contacts.household.add")}
        </Button>
      ) : null}
    </section>
  );
}

interface RowProps {
  contactId: string;
  member: Member;
  canEdit: boolean;
}

function Row({ contactId, member, canEdit }: RowProps) {
  const { t } = useTranslation();
  const [isEdited, setEdited] = useState(false);
  const [isAsked, setAsked] = useState(false);
  const params = { params: { path: { id: contactId, member_id: member.id } } };
  const path = "/api/v1/contacts/{id}/household/{member_id}";
  const after = {
    onError: (error: Error) => toast("bad", errorText(error, t)),
    onSettled: () => refresh(contactId),
  };
  const confirm = useMutation({
    mutationFn: () => client.PATCH(path, { ...params, body: { is_confirmed: true } }),
    ...after,
  });
  const remove = useMutation({ mutationFn: () => client.DELETE(path, params), ...after });
  if (isEdited) {
    return (
      <li>
        <MemberForm contactId={contactId} member={member} onDone={() => setEdited(false)} />
      </li>
    );
  }
  const { name, relation, is_confirmed: isConfirmed } = member;
  const isBusy = confirm.isPending || remove.isPending;
  return (
    <li className="flex items-center gap-1 py-1.5 text-sm">
      <span className="min-w-0 flex-1 [overflow-wrap:anywhere]">
        {name}
        {relation ? <span className="text-muted"> · {relation}</span> : null}
      </span>
      <Badge tone={isConfirmed ? "ok" : "quiet"}>
        {t(isConfirmed ? "contacts.household.confirmed" : "contacts.household.unconfirmed")}
      </Badge>
      {canEdit ? (
        <>
          {isConfirmed ? null : (
            <Button
              look="ghost"
              size="iconSm"
              aria-label={t("contacts.household.confirm", { name })}
              disabled={isBusy}
              onClick={() => confirm.mutate()}
            >
              <Check aria-hidden />
            </Button>
          )}
          <Button
            look="ghost"
            size="iconSm"
            aria-label={t("contacts.household.edit", { name })}
            disabled={isBusy}
            onClick={() => setEdited(true)}
          >
            <Pencil aria-hidden />
          </Button>
          <Button
            look="ghost"
            size="iconSm"
            aria-label={t("contacts.household.remove", { name })}
            disabled={isBusy}
            onClick={() => (isConfirmed ? setAsked(true) : remove.mutate())}
          >
            <Trash2 aria-hidden />
          </Button>
        </>
      ) : null}
      <Confirm
        open={isAsked}
        onOpenChange={setAsked}
        title={t("contacts.household.removeTitle", { name })}
        act={t("contacts.household.act")}
        isDangerous
        onConfirm={() => remove.mutate()}
      >
        {t("contacts.household.removeText")}
      </Confirm>
    </li>
  );
}

interface MemberFormProps {
  contactId: string;
  /** The one to change; without it one is added. */
  member?: Member;
  onDone: () => void;
}

function MemberForm({ contactId, member, onDone }: MemberFormProps) {
  const { t } = useTranslation();
  const save = useMutation({
    mutationFn: async (body: Schemas["HouseholdMemberFields"]): Promise<unknown> => {
      const path = { id: contactId };
      return member
        ? client.PATCH("/api/v1/contacts/{id}/household/{member_id}", {
            params: { path: { ...path, member_id: member.id } },
            body,
          })
        : client.POST("/api/v1/contacts/{id}/household", { params: { path }, body });
    },
    onSuccess: async () => {
      await refresh(contactId);
      onDone();
    },
  });
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    save.mutate({
      name: String(form.get("name")).trim(),
      // an empty one empties it
      relation: String(form.get("relation")).trim(),
      is_confirmed: form.get("confirmed") === "on",
    });
  };
  return (
    <form
      onSubmit={onSubmit}
      noValidate
      className="my-2 flex flex-col gap-3 rounded-md border border-line p-3"
    >
      <div className="grid grid-cols-2 gap-3">
        <Field label={t("contacts.household.name")} error={save.error ? errorText(save.error, t) : undefined}>
          <Input name="name" defaultValue={member?.name} maxLength={200} autoComplete="off" autoFocus />
        </Field>
        <Field label={t("contacts.household.relation")}>
          <Input
            name="relation"
            defaultValue={member?.relation ?? ""}
            maxLength={200}
            autoComplete="off"
            placeholder={t("contacts.household.relationExample")}
          />
        </Field>
      </div>
      <label className="flex items-center gap-2 text-sm">
        <input type="checkbox" name="confirmed" defaultChecked={member?.is_confirmed ?? true} />
        {t("contacts.household.isConfirmed")}
      </label>
      <div className="flex justify-end gap-2">
        <Button size="sm" onClick={onDone}>
          {t("common.cancel")}
        </Button>
        <Button size="sm" type="submit" look="solid" disabled={save.isPending}>
          {t("common.save")}
        </Button>
      </div>
    </form>
  );
}
