import { useMutation } from "@tanstack/react-query";
import { Eraser, FileArchive } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { toast } from "@/components/ui/toasts";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useMay } from "@/lib/session";
import { fullName } from "@/lib/text";

interface PrivacyProps {
  contact: Schemas["Contact"];
  onErased: () => void;
}

/** What a person may ask of what is kept about them. */
export function Privacy({ contact, onErased }: PrivacyProps) {
  const { t } = useTranslation();
  const may = useMay();
  const [isAsked, setAsked] = useState(false);
  const params = { params: { path: { id: contact.id } } };
  const onError = (error: Error) => toast("bad", errorText(error, t));
  const copy = useMutation({
    mutationFn: () => client.POST("/api/v1/contacts/{id}/export", params),
    onSuccess: () => toast("ok", t("privacy.exportAsked")),
    onError,
  });
  const erase = useMutation({
    mutationFn: () => client.POST("/api/v1/contacts/{id}/erase", params),
    onSuccess: () => {
      toast("ok", t("privacy.eraseAsked"));
      onErased();
      return queryClient.invalidateQueries({ queryKey: [PAGES, "contacts"] });
    },
    onError,
  });
  if (!may("contacts.export") && !may("contacts.delete")) return null;
  return (
    <section>
      <h3 className="mb-2 text-sm font-semibold">{t("privacy.title")}</h3>
      <div className="flex flex-wrap gap-2">
        {may("contacts.export") ? (
          <Button
            size="sm"
            title={t("privacy.exportSays")}
            disabled={copy.isPending}
            onClick={() => copy.mutate()}
          >
            <FileArchive aria-hidden />
            {t("privacy.export")}
          </Button>
        ) : null}
        {may("contacts.delete") ? (
          <Button size="sm" disabled={erase.isPending} onClick={() => setAsked(true)}>
            <Eraser aria-hidden />
            {t("privacy.erase")}
          </Button>
        ) : null}
      </div>
      <Confirm
        open={isAsked}
        onOpenChange={setAsked}
        title={t("privacy.eraseAsk", { name: fullName(contact, t("contacts.unnamed")) })}
        act={t("privacy.erase")}
        isDangerous
        onConfirm={() => erase.mutate()}
      >
        {t("privacy.eraseSays")}
      </Confirm>
    </section>
  );
}
