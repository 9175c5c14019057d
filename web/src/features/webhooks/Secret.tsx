import { useMutation } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";

import { ShownOnce } from "@/components/shown-once";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Select } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { client } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";

import { hostOf, readAgain, type Webhook } from "./wire";

/** The secret, which is shown this once. */
export function SecretShown({ secret, onClose }: { secret: string | null; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <ShownOnce
      title={t("webhooks.secret")}
      says={t("webhooks.secretSays")}
      value={secret}
      gone={t("webhooks.secretGone")}
      copy={t("webhooks.copy")}
      copied={t("webhooks.copied")}
      onClose={onClose}
    />
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
