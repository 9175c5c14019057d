import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { UserRound, UserRoundX } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { ContactSearch } from "@/components/contact-search";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { client, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { phoneText, useFormats } from "@/lib/format";
import { useLater } from "@/lib/later";
import { cn } from "@/lib/cn";
import { fullName } from "@/lib/text";

type Contact = Schemas["Contact"];

const QUIET_MS = 250;
const ENCODINGS: Record<string, string> = { gsm7: "GSM-7", ucs2: "UCS-2" };

/** A text as the server would send it to a contact; of nobody, with the texts for whoever has nothing. */
export function usePreview(body: string, contactId: string | undefined, isWaiting = false) {
  const { t } = useTranslation();
  const wanted = JSON.stringify({ body, ...(contactId ? { contact_id: contactId } : {}) });
  const asked = useLater(wanted, QUIET_MS);
  const question = JSON.parse(asked) as Schemas["PreviewBody"];
  const isEmpty = body.trim() === "";
  const { data, error, isFetching } = useQuery({
    queryKey: ["campaigns", "preview", question],
    queryFn: async ({ signal }) =>
      (await client.POST("/api/v1/campaigns/preview", { body: question, signal })).data ?? null,
    // what was wanted before is not asked for any more
    enabled: question.body.trim() !== "" && !isWaiting && asked === wanted,
    placeholderData: keepPreviousData,
  });
  const isOld = asked !== wanted || isFetching || isWaiting;
  const fault = isEmpty || isOld ? null : error;
  const isOfText = fault instanceof ApiError && fault.field === "body";
  return {
    shown: isEmpty || fault ? null : (data ?? null),
    isOld,
    /** What is wrong with the text, which stands at its field. */
    fault: isOfText ? errorText(fault, t) : undefined,
    error: fault && !isOfText ? errorText(fault, t) : undefined,
  };
}

interface PreviewProps {
  preview: ReturnType<typeof usePreview>;
  contact: Contact | null;
  onChoose: (contact: Contact | null) => void;
}

/** The message as one contact would get it, and what it would cost as SMS. */
export function Preview({ preview, contact, onChoose }: PreviewProps) {
  const { t } = useTranslation();
  const [isChoosing, setChoosing] = useState(false);
  const { shown, error } = preview;
  const name = contact
    ? fullName(contact, contact.phone ? phoneText(contact.phone) : (contact.email ?? ""))
    : t("campaigns.previewNobody");
  return (
    <Panel
      title={t("campaigns.preview")}
      aside={
        <span className="min-w-0 truncate text-xs text-muted">
          {preview.isOld ? t("campaigns.previewOld") : name}
        </span>
      }
    >
      <div
        className={cn("flex min-h-24 rounded-md bg-canvas p-4", shown ? "justify-end" : "justify-center")}
        aria-live="polite"
        aria-busy={preview.isOld}
      >
        {shown ? (
          <p className="max-w-[85%] self-start rounded-lg rounded-br-sm bg-imessage px-3 py-2 text-on-accent whitespace-pre-wrap [overflow-wrap:anywhere]">
            {shown.text}
          </p>
        ) : (
          <p className="self-center text-sm text-faint">{error ?? t("campaigns.previewEmpty")}</p>
        )}
      </div>
      {shown ? <Cost segments={shown.segments} /> : null}
      <div className="mt-3 flex flex-wrap gap-2 border-t border-line pt-3">
        <Button size="sm" aria-expanded={isChoosing} onClick={() => setChoosing(!isChoosing)}>
          <UserRound aria-hidden />
          {t("campaigns.previewOther")}
        </Button>
        {contact ? (
          <Button size="sm" look="ghost" onClick={() => onChoose(null)}>
            <UserRoundX aria-hidden />
            {t("campaigns.previewNone")}
          </Button>
        ) : null}
      </div>
      {isChoosing ? (
        <div className="mt-2">
          <ContactSearch
            label={t("campaigns.previewWith")}
            autoFocus
            onChoose={(chosen) => {
              setChoosing(false);
              onChoose(chosen);
            }}
          />
        </div>
      ) : null}
    </Panel>
  );
}

function Cost({ segments }: { segments: Schemas["Segments"] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { encoding, segment_count, length, left, culprits } = segments;
  return (
    <>
      <dl className="mt-3 flex flex-wrap items-center gap-x-4 gap-y-1 text-sm text-muted">
        <div className="flex gap-1.5">
          <dt>{t("campaigns.segments")}</dt>
          <dd className="font-medium text-ink figures">{formats.number(segment_count)}</dd>
        </div>
        <div className="flex gap-1.5">
          <dt>{t("campaigns.characters")}</dt>
          <dd className="figures">
            {t("campaigns.charactersLeft", { units: formats.number(length), left: formats.number(left) })}
          </dd>
        </div>
        <div>
          <dt className="sr-only">{t("campaigns.encoding")}</dt>
          <dd>
            <Badge>{ENCODINGS[encoding] ?? encoding}</Badge>
          </dd>
        </div>
      </dl>
      {culprits.length > 0 ? (
        <p className="mt-2 text-xs text-warn">
          {t("campaigns.culprits", { count: culprits.length, letters: formats.list(culprits.slice(0, 6)) })}
        </p>
      ) : null}
    </>
  );
}
