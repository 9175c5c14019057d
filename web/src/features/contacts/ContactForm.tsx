import { useMutation } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { type FormEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { api, client, onceKey, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";

type Contact = Schemas["Contact"];

const FIELDS = [
  { name: "first_name", autoComplete: "off", type: "text" },
  { name: "last_name", autoComplete: "off", type: "text" },
  { name: "phone", autoComplete: "off", type: "tel" },
  { name: "second_phone", autoComplete: "off", type: "tel" },
  { name: "email", autoComplete: "off", type: "text" },
  { name: "company", autoComplete: "off", type: "text" },
  { name: "address", autoComplete: "off", type: "text" },
  { name: "city", autoComplete: "off", type: "text" },
  { name: "state", autoComplete: "off", type: "text" },
  { name: "postal_code", autoComplete: "off", type: "text" },
  { name: "country", autoComplete: "off", type: "text" },
  { name: "time_zone", autoComplete: "off", type: "text" },
] as const;

interface ContactFormProps {
  /** The contact to change; without it one is made. */
  contact?: Contact;
  onDone: (contact: Contact) => void;
  onCancel: () => void;
}

export function ContactForm({ contact, onDone, onCancel }: ContactFormProps) {
  const { t } = useTranslation();
  // one try of making it is one contact, however often it is sent
  const key = useRef(onceKey());
  const [attributes, setAttributes] = useState(() => Object.entries(contact?.attributes ?? {}));
  const save = useMutation({
    mutationFn: async (body: Schemas["ContactFields"]) => {
      const answer = contact
        ? await client.PATCH("/api/v1/contacts/{id}", { params: { path: { id: contact.id } }, body })
        : await client.POST("/api/v1/contacts", { body, headers: { "Idempotency-Key": key.current } });
      if (!answer.data) throw ApiError.unreachable();
      return answer.data;
    },
    onSuccess: (saved) => {
      const { queryKey } = api.queryOptions("get", "/api/v1/contacts/{id}", {
        params: { path: { id: saved.id } },
      });
      queryClient.setQueryData(queryKey, saved);
      void queryClient.invalidateQueries({ queryKey: [PAGES, "contacts"] });
      onDone(saved);
    },
    onError: () => {
      key.current = onceKey();
    },
  });
  const error = save.error instanceof ApiError ? save.error : null;
  const ofField = (name: string) => (error && error.field === name ? errorText(error, t) : undefined);
  const isShownAtField = FIELDS.some(({ name }) => name === error?.field);
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const body = Object.fromEntries(
      FIELDS.map(({ name }) => [name, String(form.get(name) ?? "").trim() || null]).filter(
        ([name, value]) => value !== (contact?.[name as "phone"] ?? null),
      ),
    ) as Schemas["ContactFields"];
    const set = Object.fromEntries(attributes.filter(([name]) => name.trim() !== ""));
    // an attribute that is gone is emptied by null
    const gone = Object.keys(contact?.attributes ?? {}).filter((name) => !(name in set));
    save.mutate({
      ...body,
      attributes: { ...set, ...Object.fromEntries(gone.map((name) => [name, null])) } as never,
    });
  };
  const change = (place: number, pair: [string, string]) =>
    setAttributes((now) => now.map((old, index) => (index === place ? pair : old)));
  return (
    <form onSubmit={onSubmit} noValidate className="flex flex-col gap-4">
      <div className="grid grid-cols-1 gap-x-3 gap-y-3 sm:grid-cols-2">
        {FIELDS.map(({ name, ...more }) => (
          <Field key={name} label={t(`contacts.fields.${name}`)} error={ofField(name)}>
            <Input
              name={name}
              defaultValue={contact?.[name] ?? ""}
              autoFocus={name === "first_name"}
              {...more}
            />
          </Field>
        ))}
      </div>
      <fieldset>
        <legend className="mb-1 text-sm font-medium text-muted">{t("contacts.attributes")}</legend>
        <div className="flex flex-col gap-2">
          {attributes.map(([name, value], place) => (
            <div key={place} className="flex gap-2">
              <Input
                aria-label={t("contacts.attributeName")}
                placeholder={t("contacts.attributeName")}
                value={name}
                onChange={({ target }) => change(place, [target.value, value])}
              />
              <Input
                aria-label={t("contacts.attributeValue")}
                placeholder={t("contacts.attributeValue")}
                value={value}
                onChange={({ target }) => change(place, [name, target.value])}
              />
              <Button
                look="ghost"
                size="icon"
                aria-label={t("contacts.attributeRemove", { name })}
                onClick={() => setAttributes((now) => now.filter((_, index) => index !== place))}
              >
                <X aria-hidden />
              </Button>
            </div>
          ))}
          <Button size="sm" className="self-start" onClick={() => setAttributes((now) => [...now, ["", ""]])}>
            <Plus aria-hidden />
            {t("contacts.attributeAdd")}
          </Button>
        </div>
      </fieldset>
      {save.error && !isShownAtField ? (
        <Notice tone="bad" isAlert>
          {errorText(save.error, t)}
        </Notice>
      ) : null}
      <div className="flex justify-end gap-2">
        <Button onClick={onCancel}>{t("common.cancel")}</Button>
        <Button type="submit" look="solid" disabled={save.isPending}>
          {t("contacts.save")}
        </Button>
      </div>
    </form>
  );
}
