import { Plus, X } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import type { Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useMay } from "@/lib/session";

import { LabelPicker } from "./BulkBar";
import { useLabelling, useLabels } from "./labels";

/** The labels of a contact, put on and taken off where they are seen. */
export function ContactLabels({ contact }: { contact: Schemas["Contact"] }) {
  const { t } = useTranslation();
  const may = useMay();
  const { byId } = useLabels();
  const labelling = useLabelling(contact.id);
  const [isPicked, setPicked] = useState(false);
  const canEdit = may("contacts.edit");
  const own = contact.label_ids.flatMap((id) => byId.get(id) ?? []);
  const turn = (labelId: string, isOn: boolean) =>
    labelling.mutate({ labelId, isOn }, { onError: (error) => toast("bad", errorText(error, t)) });
  if (own.length === 0 && !canEdit) return null;
  return (
    <section aria-label={t("contacts.labels")}>
      <h3 className="mb-2 text-sm font-semibold">{t("contacts.labels")}</h3>
      <div className="flex flex-wrap items-center gap-1.5">
        {own.map(({ id, name }) => (
          <Badge key={id} tone="accent" className="h-6 max-w-full shrink">
            <span className="truncate">{name}</span>
            {canEdit ? (
              <button
                type="button"
                aria-label={t("contacts.label.takeOff", { name })}
                className="-mr-1 inline-flex size-6 items-center justify-center rounded-sm hover:bg-hover"
                disabled={labelling.isPending}
                onClick={() => turn(id, false)}
              >
                <X aria-hidden />
              </button>
            ) : null}
          </Badge>
        ))}
        {canEdit ? (
          <Button size="sm" className="h-6" disabled={labelling.isPending} onClick={() => setPicked(true)}>
            <Plus aria-hidden />
            {t("contacts.label.add")}
          </Button>
        ) : null}
      </div>
      {isPicked ? (
        <LabelPicker
          title={t("contacts.label.add")}
          canMake
          has={contact.label_ids}
          onChoose={(id) => turn(id, !contact.label_ids.includes(id))}
          onClose={() => setPicked(false)}
        />
      ) : null}
    </section>
  );
}
