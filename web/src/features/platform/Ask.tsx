import { useMutation } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { ApiError, errorText } from "@/lib/api/error";
import { queryClient } from "@/lib/api/query";

/** What was given in a form, by the names of its fields. */
export type Given = (name: string) => string;

interface AskProps {
  title: string;
  description?: string;
  act: string;
  isDangerous?: boolean;
  run: (given: Given) => Promise<unknown>;
  /** It was done. The dialog has been closed by then, unless `stays`. */
  onDone?: () => void;
  onClose: () => void;
  /** The fields, given what is wrong with each; the reason follows them. */
  children?: (errorAt: (field: string) => string | undefined) => ReactNode;
}

/** A form of the operator's in a dialog. Each asks why, since the audit keeps it. */
export function Ask({ title, description, act, isDangerous, run, onDone, onClose, children }: AskProps) {
  const { t } = useTranslation();
  const form = useId();
  const done = useMutation({
    mutationFn: run,
    onSuccess: () => {
      void queryClient.invalidateQueries();
      onClose();
      onDone?.();
    },
  });
  const error = done.error instanceof ApiError ? done.error : null;
  const fields = new Set<string>(["reason"]);
  const errorAt = (field: string) => {
    fields.add(field);
    return error?.field === field ? errorText(error, t) : undefined;
  };
  const shown = children?.(errorAt);
  const reason = errorAt("reason");
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    done.mutate((name) => String(data.get(name) ?? "").trim());
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={title}
      description={description}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button type="submit" form={form} look={isDangerous ? "danger" : "solid"} disabled={done.isPending}>
            {act}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={onSubmit} className="flex flex-col gap-3">
        {shown}
        <Field label={t("operations.reason")} hint={t("operations.reasonHint")} error={reason}>
          <Input name="reason" required maxLength={500} autoComplete="off" />
        </Field>
        {done.error && !(error?.field && fields.has(error.field)) ? (
          <Notice tone="bad" isAlert>
            {errorText(done.error, t)}
          </Notice>
        ) : null}
      </form>
    </Dialog>
  );
}
