import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { api, type Schemas } from "@/lib/api/client";
import { useMay } from "@/lib/session";
import { queryOf } from "@/features/contacts/filter";

import type { Chosen } from "./form";
import { MessageField } from "./MessageField";
import { Preview, usePreview } from "./Preview";
import { TestSend } from "./TestSend";
import type { StepProps } from "./Wizard";

/** The text, as the server would send it to somebody, and a try on a phone of one's own. */
export function MessageStep({ draft, isAsked }: StepProps) {
  const { t } = useTranslation();
  const may = useMay();
  const { form, change, errorAt } = draft;
  // nobody chosen yet is the first of the audience; null is nobody at all
  const [chosen, setChosen] = useState<Schemas["Contact"] | null>();
  const first = useFirst(form.audience);
  const contact = chosen === undefined ? (first.contact ?? null) : chosen;
  const preview = usePreview(form.body, contact?.id, chosen === undefined && first.isPending);
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem] lg:grid-rows-[auto_1fr]">
      <Panel>
        <MessageField
          value={form.body}
          onChange={(body) => change({ body })}
          error={errorAt("body", isAsked) ?? preview.fault}
          attributes={Object.keys(contact?.attributes ?? {})}
        />
      </Panel>
      <div className="lg:row-span-2">
        <Preview preview={preview} contact={contact} onChoose={setChosen} />
      </div>
      {may("campaigns.test_send") ? (
        <TestSend
          lineId={form.line_id}
          body={form.body}
          contactId={contact?.id}
          isReady={preview.shown !== null}
        />
      ) : (
        <Notice tone="info">{t("campaigns.mayNotTest")}</Notice>
      )}
    </div>
  );
}

/** A contact of the audience, for the preview. */
function useFirst(audience: Chosen): { contact: Schemas["Contact"] | undefined; isPending: boolean } {
  const narrowed =
    audience.kind === "import" && audience.importId
      ? { import_id: audience.importId }
      : audience.kind === "labels" && audience.labelIds[0]
        ? { label_id: audience.labelIds[0] }
        : audience.kind === "filter"
          ? queryOf(audience.search)
          : {};
  const query = { limit: 1, ...narrowed };
  const { data, isPending } = api.useQuery("get", "/api/v1/contacts", { params: { query } });
  return { contact: data?.items[0], isPending };
}
