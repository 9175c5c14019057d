import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Send } from "lucide-react";
import { type FormEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { client, onceKey, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { phoneText } from "@/lib/format";

interface TestSendProps {
  lineId: string;
  body: string;
  contactId: string | undefined;
  /** The text can be sent as it is. */
  isReady: boolean;
}

/** Sends the text once to one phone. An answer that never came may be asked for again: it is the same send. */
export function TestSend({ lineId, body, contactId, isReady }: TestSendProps) {
  const { t } = useTranslation();
  const [address, setAddress] = useState("");
  const intended = useRef({ of: "", key: "" });
  const send = useMutation({
    mutationFn: async (test: Schemas["NewTestSend"]) => {
      const of = JSON.stringify(test);
      if (intended.current.of !== of) intended.current = { of, key: onceKey() };
      const headers = { "Idempotency-Key": intended.current.key };
      const { data } = await client.POST("/api/v1/campaigns/test", { body: test, headers });
      if (!data) throw ApiError.unreachable();
      return data;
    },
    onSuccess: () => {
      intended.current = { of: "", key: "" };
    },
    onError: (error) => {
      if (!(error instanceof ApiError && error.isTransient)) intended.current = { of: "", key: "" };
    },
  });
  const why = !lineId ? t("campaigns.testNoLine") : isReady ? null : t("campaigns.testNoText");
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (why || send.isPending || !address.trim()) return;
    send.mutate({
      line_id: lineId,
      body,
      address: address.trim(),
      ...(contactId ? { contact_id: contactId } : {}),
    });
  };
  const { error } = send;
  const isOfAddress = error instanceof ApiError && (error.field === "address" || error.status === 409);
  const told = useTestProblem(error);
  return (
    <Panel title={t("campaigns.test")}>
      <form onSubmit={onSubmit} className="flex flex-wrap items-start gap-3">
        <Field
          label={t("campaigns.testTo")}
          hint={t("campaigns.testHint")}
          error={isOfAddress ? told : undefined}
          className="min-w-56 flex-1"
        >
          <Input
            type="tel"
            required
            value={address}
            onChange={({ target }) => {
              setAddress(target.value);
              if (!send.isPending) send.reset();
            }}
          />
        </Field>
        <Button
          type="submit"
          className="sm:mt-6"
          disabled={why !== null || send.isPending}
          title={why ?? undefined}
        >
          <Send aria-hidden />
          {t("campaigns.testSend")}
        </Button>
      </form>
      {why ? <p className="mt-2 text-sm text-muted">{why}</p> : null}
      {error && !isOfAddress ? (
        <Notice tone="bad" isAlert className="mt-3">
          {told}
        </Notice>
      ) : null}
      <p role="status" className="text-sm not-empty:mt-3">
        {send.data ? (
          <>
            {t("campaigns.testSent", { to: phoneText(send.variables.address) })}{" "}
            <Link
              to="/inbox"
              search={{ conversation: send.data.conversation_id }}
              className="text-accent-ink underline"
            >
              {t("campaigns.testOpen")}
            </Link>
          </>
        ) : null}
      </p>
    </Panel>
  );
}

/** Here nobody may insist: a test is sent to whoever wants it. */
function useTestProblem(error: unknown): string {
  const { t } = useTranslation();
  if (error instanceof ApiError && error.code === "recipient_opted_out") return t("campaigns.testOptedOut");
  if (error instanceof ApiError && error.code === "recipient_blacklisted")
    return t("campaigns.testBlacklisted");
  return errorText(error, t);
}
