import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useId, useRef } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client, onceKey } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";

import { kindsQuery, readAgain, useKindName, type Webhook } from "./wire";

interface Filled {
  url: string;
  description: string;
  kinds: string[];
}

/** What stands in the fields; kinds that may not be chosen are left as they are by not being there. */
function filledIn(event: FormEvent<HTMLFormElement>): Filled {
  const form = new FormData(event.currentTarget);
  const text = (name: string) => String(form.get(name) ?? "").trim();
  return { url: text("url"), description: text("description"), kinds: form.getAll("kinds").map(String) };
}

/** The kinds, with those that whoever looks may not see switched off, and why. */
function Kinds({ chosen, error }: { chosen: readonly string[]; error?: string | undefined }) {
  const { t } = useTranslation();
  const kindName = useKindName();
  const id = useId();
  const { data, error: failure, refetch } = useQuery(kindsQuery);
  if (failure) return <Failed error={failure} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  return (
    <fieldset aria-describedby={error ? `${id}-error` : undefined}>
      <legend className="text-sm font-medium text-muted">{t("webhooks.events")}</legend>
      <ul className="mt-1 grid gap-1 sm:grid-cols-2">
        {data.map(({ kind, is_allowed }) => (
          <li key={kind} className="flex items-start gap-2 text-sm">
            <input
              id={`${id}-${kind}`}
              type="checkbox"
              name="kinds"
              value={kind}
              className="mt-0.5"
              defaultChecked={is_allowed && chosen.includes(kind)}
              disabled={!is_allowed}
            />
            <label htmlFor={`${id}-${kind}`} className={is_allowed ? undefined : "text-faint"}>
              {kindName(kind)}
              {is_allowed ? null : <span className="block text-xs">{t("webhooks.notYours")}</span>}
            </label>
          </li>
        ))}
      </ul>
      {error ? (
        <p id={`${id}-error`} role="alert" className="mt-1 text-xs text-bad">
          {error}
        </p>
      ) : null}
    </fieldset>
  );
}

interface FormProps {
  title: string;
  description: ReactNode;
  webhook?: Webhook;
  act: string;
  isPending: boolean;
  error: unknown;
  onFilled: (filled: Filled) => void;
  onClose: () => void;
}

function Form({ title, description, webhook, act, isPending, error, onFilled, onClose }: FormProps) {
  const { t } = useTranslation();
  const form = useId();
  const told = error instanceof ApiError ? error : null;
  const at = (field: string) => (told?.field === field ? errorText(told, t) : undefined);
  const elsewhere =
    error && !["url", "description", "kinds"].includes(told?.field ?? "") ? errorText(error, t) : null;
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={title}
      description={description}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button look="solid" type="submit" form={form} disabled={isPending}>
            {act}
          </Button>
        </>
      }
    >
      <form
        id={form}
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          onFilled(filledIn(event));
        }}
      >
        <Field label={t("webhooks.url")} hint={t("webhooks.urlHint")} error={at("url")}>
          <Input
            name="url"
            type="url"
            required
            maxLength={2000}
            autoComplete="off"
            spellCheck={false}
            placeholder="https://example.com/paloma"
            defaultValue={webhook?.url}
            data-first
          />
        </Field>
        <Field label={t("webhooks.what")} error={at("description")}>
          <Input name="description" maxLength={200} autoComplete="off" defaultValue={webhook?.description} />
        </Field>
        <Kinds chosen={webhook?.kinds ?? []} error={at("kinds")} />
        {elsewhere ? (
          <Notice tone="bad" isAlert>
            {elsewhere}
          </Notice>
        ) : null}
      </form>
    </Dialog>
  );
}

interface NewProps {
  onClose: () => void;
  onMade: (secret: string | null) => void;
}

export function NewWebhook({ onClose, onMade }: NewProps) {
  const { t } = useTranslation();
  const key = useRef(onceKey());
  const make = useMutation({
    mutationFn: async (body: Filled) => {
      const headers = { "Idempotency-Key": key.current };
      const { data } = await client.POST("/api/v1/webhooks", { body, headers });
      if (!data) throw ApiError.unreachable();
      return data;
    },
    onSuccess: ({ secret }) => {
      void readAgain();
      onMade(secret ?? null);
    },
    onError: () => {
      key.current = onceKey();
    },
  });
  return (
    <Form
      title={t("webhooks.add")}
      description={t("webhooks.addSays")}
      act={t("webhooks.add")}
      isPending={make.isPending}
      error={make.error}
      onFilled={make.mutate}
      onClose={onClose}
    />
  );
}

export function EditWebhook({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
  const { t } = useTranslation();
  const { data: known = [] } = useQuery(kindsQuery);
  const save = useMutation({
    mutationFn: ({ url, description, kinds }: Filled) => {
      // those that whoever looks can't choose are not theirs to take away
      const own = webhook.kinds.filter((kind) => known.some((one) => one.kind === kind && one.is_allowed));
      const isSame = [...kinds].sort().join() === [...own].sort().join();
      // whoever chooses the kinds is who it sees as from then on: it is no change to leave them, unless some are withheld
      const chosen = isSame && webhook.withheld_kinds.length === 0 ? {} : { kinds };
      const body = { description, ...chosen, ...(url === webhook.url ? {} : { url }) };
      return client.PATCH("/api/v1/webhooks/{id}", { params: { path: { id: webhook.id } }, body });
    },
    onSuccess: () => {
      toast("ok", t("webhooks.saved"));
      void readAgain();
      onClose();
    },
  });
  return (
    <Form
      title={t("webhooks.edit")}
      description={t("webhooks.editSays")}
      webhook={webhook}
      act={t("common.save")}
      isPending={save.isPending}
      error={save.error}
      onFilled={save.mutate}
      onClose={onClose}
    />
  );
}
