import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Notice } from "@/components/ui/notice";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { api, client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";

import { type Delivery, readDeliveriesAgain, useKindName } from "./wire";

type Attempt = Schemas["WebhookAttempt"];

const REASONS = [
  "exhausted",
  "gone",
  "test_failed",
  "not_allowed",
  "webhook_disabled",
  "webhook_deleted",
] as const;
const ERRORS = ["address_refused", "timeout", "connect_refused", "connect_timeout"] as const;

/** One delivery: what was sent, and what came of each attempt. */
export function DeliveryShown({ delivery, onClose }: { delivery: Delivery; onClose: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const kindName = useKindName();
  const path = { id: delivery.webhook_id, delivery_id: delivery.id };
  const { data, error, refetch } = api.useQuery("get", "/api/v1/webhooks/{id}/deliveries/{delivery_id}", {
    params: { path },
  });
  const replay = useMutation({
    mutationFn: () =>
      client.POST("/api/v1/webhooks/{id}/deliveries/{delivery_id}/replay", { params: { path } }),
    onSuccess: () => {
      toast("ok", t("webhooks.replayed"));
      onClose();
      return readDeliveriesAgain();
    },
  });
  const reason = data?.reason;
  const known = REASONS.find((one) => one === reason);
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={kindName(delivery.kind)}
      description={<span className="font-mono text-xs [overflow-wrap:anywhere]">{delivery.id}</span>}
      footer={
        <>
          <Button onClick={onClose}>{t("common.close")}</Button>
          <Button look="solid" onClick={() => replay.mutate()} disabled={replay.isPending}>
            {t("webhooks.replay")}
          </Button>
        </>
      }
    >
      {error ? (
        <Failed error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading />
      ) : (
        <div className="flex flex-col gap-4 text-sm">
          {reason ? (
            <Notice tone="bad">{known ? t(`webhooks.reasons.${known}`) : t("webhooks.reasons.ours")}</Notice>
          ) : null}
          {data.next_attempt_at ? (
            <p className="text-muted">
              {t("webhooks.next", { when: formats.dateTime(data.next_attempt_at) })}
            </p>
          ) : null}
          <section>
            <h3 className="font-medium">{t("webhooks.attempts")}</h3>
            {data.attempts.length === 0 ? <p className="text-muted">{t("webhooks.noAttempts")}</p> : null}
            <ol className="mt-1 divide-y divide-line">
              {data.attempts.map((attempt) => (
                <One key={attempt.number} attempt={attempt} />
              ))}
            </ol>
          </section>
          <section>
            <h3 className="font-medium">{t("webhooks.body")}</h3>
            <pre
              tabIndex={0}
              aria-label={t("webhooks.body")}
              className="mt-1 max-h-64 overflow-auto rounded-md bg-hover p-2 text-xs whitespace-pre-wrap [overflow-wrap:anywhere]"
            >
              {data.body}
            </pre>
          </section>
          {replay.error ? (
            <Notice tone="bad" isAlert>
              {errorText(replay.error, t)}
            </Notice>
          ) : null}
        </div>
      )}
    </Dialog>
  );
}

function One({ attempt }: { attempt: Attempt }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const error = ERRORS.find((one) => one === attempt.error);
  const came = attempt.status ?? (error ? t(`webhooks.errors.${error}`) : t("webhooks.errors.other"));
  return (
    <li className="py-1.5">
      <p>
        <span className="font-medium">{came}</span>
        <span className="text-muted">
          {" · "}
          {t("webhooks.took", {
            when: formats.dateTime(attempt.at),
            ms: formats.number(attempt.duration_ms),
          })}
        </span>
      </p>
      {attempt.answer ? (
        <p className="font-mono text-xs text-muted [overflow-wrap:anywhere]">{attempt.answer}</p>
      ) : null}
    </li>
  );
}
