import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";

import { useLines } from "../data/reference";
import { said } from "../wire";

interface NewProps {
  onClose: () => void;
  onOpened: (id: string) => void;
}

/** Begins a conversation with an address, or finds the one there is. Nothing is sent by it. */
export function NewConversation({ onClose, onOpened }: NewProps) {
  const { t } = useTranslation();
  const { lines, isPending } = useLines();
  const [address, setAddress] = useState("");
  const [line, setLine] = useState("");
  const begin = useMutation({
    mutationFn: () =>
      said(
        client.POST("/api/v1/conversations", {
          body: { address: address.trim(), line_id: line || (lines[0]?.id ?? "") },
        }),
      ),
    onSuccess: (conversation) => onOpened(conversation.id),
  });
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (address.trim()) begin.mutate();
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={t("inbox.new.title")}
      description={t("inbox.new.says")}
    >
      {!isPending && lines.length === 0 ? (
        <Notice tone="warn">{t("inbox.new.noLine")}</Notice>
      ) : (
        <form onSubmit={onSubmit} className="flex flex-col gap-4">
          <Field
            label={t("inbox.new.address")}
            hint={t("inbox.new.addressHint")}
            error={begin.error ? errorText(begin.error, t) : undefined}
          >
            <Input
              autoFocus
              required
              inputMode="tel"
              autoComplete="off"
              value={address}
              onChange={({ target }) => setAddress(target.value)}
            />
          </Field>
          {lines.length > 1 ? (
            <Field label={t("inbox.new.line")}>
              <Select value={line} onChange={({ target }) => setLine(target.value)}>
                {lines.map(({ id, name, address: own }) => (
                  <option key={id} value={id}>
                    {name} · {own}
                  </option>
                ))}
              </Select>
            </Field>
          ) : null}
          <Button type="submit" look="solid" className="self-end" disabled={begin.isPending}>
            {t("inbox.new.open")}
          </Button>
        </form>
      )}
    </Dialog>
  );
}
