import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toasts";
import { client, onceKey } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";

import { type Organization, readOrganizationsAgain } from "./wire";

interface NameFormProps {
  /** None: a new one is made. */
  organization: Organization | undefined;
  onClose: () => void;
  onSaved: (organization: Organization) => void;
}

/** What an organization is called. */
export function NameForm({ organization, onClose, onSaved }: NameFormProps) {
  const { t } = useTranslation();
  const form = useId();
  const key = useRef(onceKey());
  const [name, setName] = useState(organization?.name ?? "");
  const save = useMutation({
    mutationFn: async () => {
      const body = { name };
      const { data } = organization
        ? await client.PATCH("/api/v1/organizations/{id}", {
            params: { path: { id: organization.id } },
            body,
          })
        : await client.POST("/api/v1/organizations", { body, headers: { "Idempotency-Key": key.current } });
      if (!data) throw ApiError.unreachable();
      return data;
    },
    onSuccess: async (saved) => {
      toast("ok", t(organization ? "organizations.renamed" : "organizations.made"));
      // it has to be in the list before it can be opened
      await readOrganizationsAgain();
      onSaved(saved);
    },
    onError: () => {
      key.current = onceKey();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t(organization ? "organizations.rename" : "organizations.make")}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button look="solid" type="submit" form={form} disabled={save.isPending}>
            {t("common.save")}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit}>
        <Field label={t("organizations.name")} error={save.error ? errorText(save.error, t) : undefined}>
          <Input
            data-first
            value={name}
            onChange={({ target }) => setName(target.value)}
            required
            maxLength={200}
            autoComplete="off"
          />
        </Field>
      </form>
    </Dialog>
  );
}
