import { useMutation, useQuery } from "@tanstack/react-query";
import { ArrowLeftRight, Check, GitMerge } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { ContactSearch } from "@/components/contact-search";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Dialog } from "@/components/ui/dialog";
import { Notice } from "@/components/ui/notice";
import { toast } from "@/components/ui/toasts";
import { useActorName } from "@/lib/actors";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { whole } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { cn } from "@/lib/cn";
import { phoneText, useFormats } from "@/lib/format";
import { fullName } from "@/lib/text";

import { refreshContacts } from "./labels";
import { type Line, merged, type Value } from "./merged";

type Contact = Schemas["Contact"];

interface MergeProps {
  contact: Contact;
  onClose: () => void;
  /** Told which one is left. */
  onMerged: (id: string) => void;
}

/** Two contacts that are one person: the other is found, what stays is seen, and only then they become one. */
export function Merge({ contact, onClose, onMerged }: MergeProps) {
  const { t } = useTranslation();
  const [other, setOther] = useState<Contact | null>(null);
  const [isSwapped, setSwapped] = useState(false);
  const [isAsked, setAsked] = useState(false);
  const [kept, gone] = isSwapped && other ? [other, contact] : [contact, other];
  const nameOf = (one: Contact) => fullName(one, one.phone ?? one.email ?? t("contacts.unnamed"));
  const merge = useMutation({
    mutationFn: () =>
      client.POST("/api/v1/contacts/{id}/merge", {
        params: { path: { id: kept.id } },
        body: { merged_id: gone?.id ?? "" },
      }),
    onSuccess: async () => {
      toast("ok", t("contacts.merge.done"));
      // the kept one first: the screen of the other would say that it is gone
      onMerged(kept.id);
      await Promise.all([refreshContacts(), queryClient.invalidateQueries({ queryKey: ["contacts"] })]);
    },
  });
  const footer = (
    <>
      <Button onClick={onClose}>{t("common.cancel")}</Button>
      {gone ? (
        <Button look="solid" disabled={merge.isPending} onClick={() => setAsked(true)}>
          <GitMerge aria-hidden />
          {t("contacts.merge.act")}
        </Button>
      ) : null}
    </>
  );
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={t("contacts.merge.title")}
      description={t("contacts.merge.hint")}
      footer={footer}
      className="sm:max-w-2xl"
    >
      {gone ? (
        <div className="flex flex-col gap-3">
          <div className="flex flex-wrap gap-2">
            <Button size="sm" onClick={() => setSwapped(!isSwapped)}>
              <ArrowLeftRight aria-hidden />
              {t("contacts.merge.swap")}
            </Button>
            <Button size="sm" look="ghost" onClick={() => (setOther(null), setSwapped(false))}>
              {t("contacts.merge.other")}
            </Button>
          </div>
          <Sides kept={kept} gone={gone} nameOf={nameOf} />
          <p className="text-sm text-muted">{t("contacts.merge.follows")}</p>
          {merge.error ? (
            <Notice tone="bad" isAlert>
              {errorText(merge.error, t)}
            </Notice>
          ) : null}
          <Confirm
            open={isAsked}
            onOpenChange={setAsked}
            title={t("contacts.merge.confirmTitle", { kept: nameOf(kept), gone: nameOf(gone) })}
            act={t("contacts.merge.act")}
            isDangerous
            onConfirm={() => merge.mutate()}
          >
            {t("contacts.merge.confirmText", { gone: nameOf(gone) })}
          </Confirm>
        </div>
      ) : (
        <ContactSearch label={t("contacts.merge.pick")} without={contact.id} onChoose={setOther} autoFocus />
      )}
    </Dialog>
  );
}

interface SidesProps {
  kept: Contact;
  gone: Contact;
  nameOf: (contact: Contact) => string;
}

/** Both side by side, each value with what becomes of it. */
function Sides({ kept, gone, nameOf }: SidesProps) {
  const { t } = useTranslation();
  return (
    <table className="w-full table-fixed text-sm">
      <caption className="sr-only">{t("contacts.merge.table")}</caption>
      <thead>
        <tr className="align-bottom">
          <td className="hidden w-32 sm:table-cell" />
          {(
            [
              [kept, "kept"],
              [gone, "gone"],
            ] as const
          ).map(([contact, side]) => (
            <th key={side} scope="col" className="border-b border-line px-2 py-1.5 text-left">
              <span className={cn("block text-xs font-medium", side === "kept" ? "text-ok" : "text-faint")}>
                {t(`contacts.merge.${side}`)}
              </span>
              <span className="block truncate">{nameOf(contact)}</span>
            </th>
          ))}
        </tr>
      </thead>
      {merged(kept, gone).map((line) => (
        <Side key={`${line.isAttribute ?? ""}${line.name}`} line={line} />
      ))}
    </table>
  );
}

function Side({ line }: { line: Line }) {
  const { t } = useTranslation();
  const name = line.isAttribute
    ? line.name
    : line.name === "phones"
      ? t("contacts.merge.phones")
      : t(`contacts.fields.${line.name}` as "contacts.fields.city");
  const isPhone = line.name === "phones" && !line.isAttribute;
  return (
    <tbody className="align-top">
      {/* on a phone the name of the field stands above both */}
      <tr className="sm:hidden">
        <th scope="rowgroup" colSpan={2} className="px-2 pt-2 text-left text-xs font-normal text-faint">
          {name}
        </th>
      </tr>
      <tr>
        <th scope="row" className="hidden py-1.5 text-left font-normal text-faint sm:table-cell">
          {name}
        </th>
        <Values values={line.kept} isPhone={isPhone} />
        <Values values={line.gone} isPhone={isPhone} />
      </tr>
    </tbody>
  );
}

function Values({ values, isPhone }: { values: Value[]; isPhone: boolean }) {
  const { t } = useTranslation();
  return (
    <td className="px-2 py-1 [overflow-wrap:anywhere] sm:py-1.5">
      {values.length === 0 ? <span className="text-faint">–</span> : null}
      {values.map(({ text, stays }) => (
        <span
          key={text}
          className={cn("flex items-start gap-1.5", stays ? "font-medium" : "text-muted line-through")}
        >
          {stays ? <Check aria-hidden className="mt-0.5 size-4 shrink-0 text-ok" /> : null}
          <span>{isPhone ? phoneText(text) : text}</span>
          <span className="sr-only">({t(stays ? "contacts.merge.stays" : "contacts.merge.lost")})</span>
        </span>
      ))}
    </td>
  );
}

/** Who became part of this contact, when and by whom, and what they were. */
export function Merges({ contactId }: { contactId: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const nameOf = useActorName();
  const { data } = useQuery({
    queryKey: ["contacts", "merges", contactId],
    queryFn: () =>
      whole((query) =>
        client.GET("/api/v1/contacts/{id}/merges", { params: { path: { id: contactId }, query } }),
      ),
  });
  if (!data || data.length === 0) return null;
  return (
    <section aria-label={t("contacts.merge.history")}>
      <h3 className="mb-2 text-sm font-semibold">{t("contacts.merge.history")}</h3>
      <ul className="flex flex-col gap-2">
        {data.map(({ id, merged: was, created_at, created_by }) => (
          <li key={id} className="text-sm">
            <details>
              <summary className="rounded-sm">
                {fullName(was, was.phone ? phoneText(was.phone) : (was.email ?? t("contacts.unnamed")))}
                <span className="text-xs text-faint">
                  {" "}
                  · {t("contacts.bulk.by", { when: formats.dateTime(created_at), who: nameOf(created_by) })}
                </span>
              </summary>
              <ul className="mt-1 pl-4 text-muted">
                {merged(was, { ...was, attributes: {} }).map(({ name, kept }) => (
                  <li key={name} className="[overflow-wrap:anywhere]">
                    {kept.map(({ text }) => (name === "phones" ? phoneText(text) : text)).join(", ")}
                  </li>
                ))}
              </ul>
            </details>
          </li>
        ))}
      </ul>
    </section>
  );
}
