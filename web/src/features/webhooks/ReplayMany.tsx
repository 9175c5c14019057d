import { useMutation } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Select } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";

import { readDeliveriesAgain } from "./wire";

const HOURS = { hour: 1, day: 24, week: 168, month: 720 } as const;
type Span = keyof typeof HOURS;
const SPANS = Object.keys(HOURS) as Span[];

/** Tells once more what has failed since a time. */
export function ReplayMany({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const form = useId();
  const [span, setSpan] = useState<Span>("day");
  const replay = useMutation({
    mutationFn: async () => {
      const since = new Date(Date.now() - HOURS[span] * 3_600_000).toISOString();
      let [count, isMore] = [0, true];
      // a thousand at a time
      while (isMore) {
        const { data } = await client.POST("/api/v1/webhooks/{id}/replay", {
          params: { path: { id } },
          body: { since },
        });
        if (!data) throw ApiError.unreachable();
        count += data.count;
        isMore = data.is_more;
      }
      return count;
    },
    onSuccess: (count) => {
      toast("ok", t("webhooks.replayedMany", { count, rows: formats.number(count) }));
      onClose();
    },
    onSettled: readDeliveriesAgain,
  });
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("webhooks.replayMany")}
      description={t("webhooks.replayManySays")}
      footer={
        <>
          <Button onClick={onClose}>{t("common.cancel")}</Button>
          <Button look="solid" type="submit" form={form} disabled={replay.isPending}>
            {t("webhooks.replay")}
          </Button>
        </>
      }
    >
      <form
        id={form}
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          replay.mutate();
        }}
      >
        <Field label={t("webhooks.span")}>
          <Select value={span} onChange={({ target }) => setSpan(target.value as Span)} data-first>
            {SPANS.map((name) => (
              <option key={name} value={name}>
                {t(`webhooks.spans.${name}`)}
              </option>
            ))}
          </Select>
        </Field>
        {replay.error ? (
          <Notice tone="bad" isAlert>
            {errorText(replay.error, t)}
          </Notice>
        ) : null}
      </form>
    </Dialog>
  );
}
