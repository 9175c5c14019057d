import { useMutation } from "@tanstack/react-query";
import { Copy } from "lucide-react";
import { useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { client } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";

import { hostOf, readAgain, type Webhook } from "./wire";

/** The secret, which is shown this once. */
export function SecretShown({ secret, onClose }: { secret: string | null; onClose: () => void }) {
  const { t } = useTranslation();
  const field = useRef<HTMLInputElement>(null);
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(secret ?? "");
      setCopied(true);
    } catch {
      // without leave to write there it stays selected, to be copied by hand
    }
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("webhooks.secret")}
      description={t("webhooks.secretSays")}
      footer={<Button onClick={onClose}>{t("common.close")}</Button>}
    >
      {secret ? (
        <div className="flex flex-col gap-2">
          <div className="flex items-end gap-2">
            <Field label={t("webhooks.secret")} className="flex-1">
              <Input
                ref={field}
                readOnly
                value={secret}
                className="font-mono text-sm"
                onFocus={(event) => event.currentTarget.select()}
              />
            </Field>
            <Button look="solid" onClick={() => void copy()}>
              <Copy aria-hidden />
              {t("webhooks.copy")}
            </Button>
          </div>
          <p role="status" className="min-h-5 text-sm text-ok">
            {isCopied ? t("webhooks.copied") : null}
          </p>
        </div>
      ) : (
        <Notice tone="info">{t("webhooks.secretGone")}</Notice>
      )}
    </Dialog>
  );
}

const OVERLAPS = { none: 0, hour: 3600, day: 86_400, week: 604_800 } as const;
type Overlap = keyof typeof OVERLAPS;
const NAMES = Object.keys(OVERLAPS) as Overlap[];

interface RotateProps {
  webhook: Webhook;
  onClose: () => void;
  onRotated: (secret: string) => void;
}

/** Another secret, with time for the receiver to change over. */
export function Rotate({ webhook, onClose, onRotated }: RotateProps) {
  const { t } = useTranslation();
  const form = useId();
  const [overlap, setOverlap] = useState<Overlap>("day");
  const rotate = useMutation({
    mutationFn: async () => {
      const { data } = await client.POST("/api/v1/webhooks/{id}/secret", {
        params: { path: { id: webhook.id } },
        body: { overlap_s: OVERLAPS[overlap] },
      });
      if (!data) throw ApiError.unreachable();
      return data;
    },
    onSuccess: ({ secret }) => {
      void readAgain();
      onRotated(secret);
    },
  });
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("webhooks.rotateOf", { host: hostOf(webhook.url) })}
      description={t("webhooks.rotateSays")}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button look="solid" type="submit" form={form} disabled={rotate.isPending}>
            {t("webhooks.rotate")}
          </Button>
        </>
      }
    >
      <form
        id={form}
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          rotate.mutate();
        }}
      >
        <Field label={t("webhooks.overlap")}>
          <Select value={overlap} onChange={({ target }) => setOverlap(target.value as Overlap)} data-first>
            {NAMES.map((name) => (
              <option key={name} value={name}>
                {t(`webhooks.overlaps.${name}`)}
              </option>
            ))}
          </Select>
        </Field>
        {rotate.error ? (
          <Notice tone="bad" isAlert>
            {errorText(rotate.error, t)}
          </Notice>
        ) : null}
      </form>
    </Dialog>
  );
}
