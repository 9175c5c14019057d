import { useTranslation } from "react-i18next";

import { NARROWING } from "@/features/contacts/filter";
import { type NarrowedName, useWords } from "@/features/contacts/Filters";
import { useLabels } from "@/features/contacts/labels";
import { api } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import type { ContactsSearch } from "@/routes/search";

import type { Chosen } from "./form";

/** Whom it goes to, in words. */
export function AudienceWords({ chosen }: { chosen: Chosen }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { byId } = useLabels();
  switch (chosen.kind) {
    case "everybody":
      return t("campaigns.everybody");
    case "import":
      return <ImportWords id={chosen.importId} />;
    case "labels":
      return t("campaigns.labelsSay", {
        count: chosen.labelIds.length,
        names: formats.list(chosen.labelIds.map((id) => byId.get(id)?.name ?? "…")),
      });
    case "filter":
      return <FilterWords search={chosen.search} />;
    case "given":
      return t("campaigns.audiences.given");
  }
}

function ImportWords({ id }: { id: string }) {
  const { t } = useTranslation();
  const init = { params: { path: { id } } };
  const { data } = api.useQuery("get", "/api/v1/imports/{id}", init, { enabled: id !== "" });
  return id ? t("campaigns.importSays", { name: data?.file_name ?? "…" }) : "–";
}

function FilterWords({ search }: { search: ContactsSearch }) {
  const { t } = useTranslation();
  const names = NARROWING.filter((name) => name !== "q" && search[name] !== undefined) as NarrowedName[];
  if (!search.q && names.length === 0) return "–";
  return (
    <ul>
      {search.q ? <li>{t("campaigns.searchSays", { text: search.q })}</li> : null}
      {names.map((name) => (
        <FilterWord key={name} name={name} search={search} />
      ))}
    </ul>
  );
}

function FilterWord({ name, search }: { name: NarrowedName; search: ContactsSearch }) {
  return <li>{useWords(name, search)}</li>;
}
