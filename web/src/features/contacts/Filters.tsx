import { ListFilter, X } from "lucide-react";
import { type ChangeEvent, useEffect, useEffectEvent, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { api } from "@/lib/api/client";
import { useFormats } from "@/lib/format";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useMay } from "@/lib/session";
import { type ContactsSearch, readContacts, SUPPRESSIONS } from "@/routes/search";

import { NARROWING } from "./filter";
import { useLabels } from "./labels";

interface FiltersProps {
  search: ContactsSearch;
  onChange: (changed: ContactsSearch, replace?: boolean) => void;
}

/** What the list shows: all of it stands in the address, so that it can be sent, kept and gone back to. */
export function Filters({ search, onChange }: FiltersProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const fields = NARROWING.filter((name) => name !== "q");
  const count = fields.filter((name) => search[name] !== undefined).length;
  const set = fields.filter((name) => search[name] !== undefined);
  return (
    <div className="shrink-0 border-b border-line px-4 py-2 md:px-6">
      <div className="flex flex-wrap items-center gap-2">
        <SearchField key="q" search={search} onChange={onChange} />
        <Button
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => setOpen(!isOpen)}
          aria-label={count > 0 ? t("contacts.filtersOn", { number: formats.number(count) }) : undefined}
        >
          <ListFilter aria-hidden />
          {t("contacts.filters")}
          {count > 0 ? <span className="text-accent-ink figures">{formats.number(count)}</span> : null}
        </Button>
        {set.map((name) => (
          <Narrowed key={name} name={name} search={search} onRemove={() => onChange({ [name]: undefined })} />
        ))}
        {set.length > 1 ? (
          <Button
            size="sm"
            look="ghost"
            onClick={() => onChange(Object.fromEntries(set.map((name) => [name, undefined])))}
          >
            {t("contacts.clearAll")}
          </Button>
        ) : null}
      </div>
      <div id={id} hidden={!isOpen}>
        {isOpen ? <Choices search={search} onChange={onChange} /> : null}
      </div>
    </div>
  );
}

/** Typed letters are looked for once somebody has stopped typing for so long. */
const QUIET_MS = 250;

function SearchField({ search, onChange }: FiltersProps) {
  const { t } = useTranslation();
  const field = useRef<HTMLInputElement>(null);
  const told = search.q ?? "";
  const [text, setText] = useState(told);
  const [seen, setSeen] = useState(told);
  // the way back brings what was looked for before
  if (told !== seen) {
    setSeen(told);
    if (told !== text.trim()) setText(told);
  }
  const keep = () => {
    if (text.trim() !== told) onChange({ q: text.trim() || undefined }, true);
  };
  const keepLater = useEffectEvent(keep);
  useEffect(() => {
    const timer = setTimeout(() => keepLater(), QUIET_MS);
    return () => clearTimeout(timer);
  }, [text]);
  useShortcuts([
    { keys: "/", label: t("keys.search"), group: t("nav.contacts"), run: () => field.current?.select() },
  ]);
  return (
    <form role="search" onSubmit={(event) => (event.preventDefault(), keep())} className="w-full max-w-sm">
      <Input
        ref={field}
        type="search"
        aria-label={t("contacts.search")}
        placeholder={t("contacts.search")}
        value={text}
        onChange={({ target }) => setText(target.value)}
      />
    </form>
  );
}

/** Imports that can be chosen from: the latest. */
const IMPORTS = 200;

function useImports() {
  const may = useMay();
  const { data } = api.useQuery(
    "get",
    "/api/v1/imports",
    { params: { query: { limit: IMPORTS } } },
    { enabled: may("contacts.view") },
  );
  return (data?.items ?? []).filter(({ created_count }) => created_count > 0);
}

function Choices({ search, onChange }: FiltersProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { labels } = useLabels();
  const imports = useImports();
  const choose =
    (name: (typeof NARROWING)[number]) =>
    ({ target }: ChangeEvent<HTMLSelectElement | HTMLInputElement>) => {
      // what is no day yet, while it is typed, is none
      const read = readContacts({ [name]: target.value })[name];
      if (read !== undefined || target.value === "") onChange({ [name]: read });
    };
  const any = <option value="">{t("contacts.any")}</option>;
  return (
    <div className="grid grid-cols-2 gap-3 pt-3 pb-1 md:grid-cols-3 xl:grid-cols-6">
      <Field label={t("contacts.filter.label")}>
        <Select value={search.label ?? ""} onChange={choose("label")}>
          {any}
          {labels.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
      </Field>
      <Field label={t("contacts.filter.import")}>
        <Select value={search.import ?? ""} onChange={choose("import")}>
          {any}
          {imports.map(({ id, file_name, created_at }) => (
            <option key={id} value={id}>
              {file_name} · {formats.date(created_at)}
            </option>
          ))}
        </Select>
      </Field>
      <Field label={t("contacts.filter.phone")}>
        <Select value={search.phone ?? ""} onChange={choose("phone")}>
          {any}
          <option value="yes">{t("contacts.phone.yes")}</option>
          <option value="no">{t("contacts.phone.no")}</option>
        </Select>
      </Field>
      <Field label={t("contacts.filter.suppression")}>
        <Select value={search.suppression ?? ""} onChange={choose("suppression")}>
          {any}
          {SUPPRESSIONS.map((kind) => (
            <option key={kind} value={kind}>
              {t(`contacts.suppression.${kind}`)}
            </option>
          ))}
        </Select>
      </Field>
      <Field label={t("contacts.filter.from")}>
        <Input
          type="date"
          defaultValue={search.from ?? ""}
          key={`from${search.from}`}
          onChange={choose("from")}
        />
      </Field>
      <Field label={t("contacts.filter.to")}>
        <Input type="date" defaultValue={search.to ?? ""} key={`to${search.to}`} onChange={choose("to")} />
      </Field>
    </div>
  );
}

export type NarrowedName = Exclude<(typeof NARROWING)[number], "q">;

interface NarrowedProps {
  name: NarrowedName;
  search: ContactsSearch;
  onRemove: () => void;
}

/** One filter in words, which a press takes away. */
function Narrowed({ name, search, onRemove }: NarrowedProps) {
  const what = useWords(name, search);
  const { t } = useTranslation();
  return (
    <Button size="sm" onClick={onRemove} aria-label={t("contacts.remove", { what })} className="max-w-full">
      <span className="truncate">{what}</span>
      <X aria-hidden />
    </Button>
  );
}

/** A filter in words. */
export function useWords(name: NarrowedName, search: ContactsSearch): string {
  const { t } = useTranslation();
  const formats = useFormats();
  const { byId } = useLabels();
  const isImport = name === "import" && search.import !== undefined;
  const { data } = api.useQuery(
    "get",
    "/api/v1/imports/{id}",
    { params: { path: { id: search.import ?? "" } } },
    { enabled: isImport },
  );
  // a day has no time: read as one of ours, it stays the same day
  const dayOf = (day: string | undefined) => (day ? formats.date(`${day}T00:00`) : "");
  switch (name) {
    case "label":
      return t("contacts.narrowed.label", { what: byId.get(search.label ?? "")?.name ?? "…" });
    case "import":
      return t("contacts.narrowed.import", { what: data?.file_name ?? "…" });
    case "phone":
      return t(`contacts.phone.${search.phone ?? "yes"}`);
    case "suppression":
      return t(`contacts.suppression.${search.suppression ?? "any"}`);
    case "from":
      return t("contacts.narrowed.from", { what: dayOf(search.from) });
    case "to":
      return t("contacts.narrowed.to", { what: dayOf(search.to) });
  }
}
