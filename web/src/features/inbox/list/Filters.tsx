import { useMutation } from "@tanstack/react-query";
import { Bookmark, BookmarkPlus, Trash2, X } from "lucide-react";
import { Popover as Primitive } from "radix-ui";
import { type FormEvent, type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { client, type Schemas } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { useMay, useMe } from "@/lib/session";
import type { InboxSearch } from "@/routes/search";

import { forgetFilters, useLabels, useLines, useSavedFilters } from "../data/reference";
import { hasFilters, queryOf, type View, viewOf } from "../view";
import { said, type Service } from "../wire";
import { serviceName } from "../words";

const SERVICES = ["imessage", "sms", "rcs"] as const;

/** What narrows the list, and the filters that were given a name. */
export function FilterMenu({ view, show, children }: View & { children: ReactElement }) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  return (
    <Primitive.Root open={isOpen} onOpenChange={setOpen}>
      <Primitive.Trigger asChild>{children}</Primitive.Trigger>
      <Primitive.Portal>
        <Primitive.Content
          align="start"
          sideOffset={6}
          collisionPadding={8}
          aria-label={t("inbox.filter.open")}
          className="z-50 flex max-h-[80vh] w-80 max-w-[calc(100vw-1rem)] flex-col gap-3 overflow-y-auto rounded-md border border-line bg-overlay p-3 shadow-xl outline-none"
        >
          <Saved show={show} onChosen={() => setOpen(false)} />
          <Narrow view={view} show={show} />
          {hasFilters(view) || view.state || view.tab ? <Save view={view} /> : null}
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

function Narrow({ view, show }: View) {
  const { t } = useTranslation();
  const { labels } = useLabels();
  const { lines } = useLines();
  return (
    <div className="flex flex-col gap-2.5">
      <Field label={t("inbox.filter.label")}>
        <Select
          value={view.label ?? ""}
          onChange={({ target }) => show({ label: target.value || undefined })}
        >
          <option value="">{t("inbox.filter.any")}</option>
          {labels.map((label) => (
            <option key={label.id} value={label.id}>
              {label.name}
            </option>
          ))}
        </Select>
      </Field>
      {lines.length > 1 ? (
        <Field label={t("inbox.filter.line")}>
          <Select
            value={view.line ?? ""}
            onChange={({ target }) => show({ line: target.value || undefined })}
          >
            <option value="">{t("inbox.filter.any")}</option>
            {lines.map((line) => (
              <option key={line.id} value={line.id}>
                {line.name}
              </option>
            ))}
          </Select>
        </Field>
      ) : null}
      <Field label={t("inbox.filter.service")}>
        <Select
          value={view.service ?? ""}
          onChange={({ target }) => show({ service: (target.value || undefined) as Service | undefined })}
        >
          <option value="">{t("inbox.filter.any")}</option>
          {SERVICES.map((service) => (
            <option key={service} value={service}>
              {serviceName(service, t)}
            </option>
          ))}
        </Select>
      </Field>
      <Check name={t("inbox.filter.unread")} isOn={Boolean(view.unread)} set={(on) => show({ unread: on })} />
      <Check name={t("inbox.filter.pinned")} isOn={Boolean(view.pinned)} set={(on) => show({ pinned: on })} />
    </div>
  );
}

function Check({ name, isOn, set }: { name: string; isOn: boolean; set: (on: true | undefined) => void }) {
  return (
    <label className="flex items-center gap-2 text-sm">
      <input type="checkbox" checked={isOn} onChange={({ target }) => set(target.checked || undefined)} />
      {name}
    </label>
  );
}

function Saved({ show, onChosen }: { show: View["show"]; onChosen: () => void }) {
  const { t } = useTranslation();
  const me = useMe().user.id;
  const may = useMay();
  const filters = useSavedFilters();
  const remove = useMutation({
    mutationFn: (id: string) => client.DELETE("/api/v1/saved-filters/{id}", { params: { path: { id } } }),
    onSettled: forgetFilters,
  });
  if (filters.length === 0) return null;
  return (
    <div className="border-b border-line pb-2">
      <h2 className="mb-1 text-xs text-faint">{t("inbox.filter.saved")}</h2>
      <ul>
        {filters.map((filter: Schemas["SavedFilter"]) => (
          <li key={filter.id} className="flex items-center gap-1">
            <Button
              look="ghost"
              size="sm"
              className="min-w-0 flex-1 justify-start px-1.5"
              onClick={() => {
                show(viewOf(filter.query) as Partial<InboxSearch>);
                onChosen();
              }}
            >
              <Bookmark aria-hidden />
              <span className="truncate">{filter.name}</span>
              {filter.is_shared ? <span className="text-faint">· {t("inbox.filter.ofAll")}</span> : null}
            </Button>
            {filter.user_id === me || may("conversations.manage_filters") ? (
              <Button
                look="ghost"
                size="iconSm"
                aria-label={t("inbox.filter.remove", { name: filter.name })}
                onClick={() => remove.mutate(filter.id)}
              >
                <Trash2 aria-hidden />
              </Button>
            ) : null}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Save({ view }: { view: InboxSearch }) {
  const { t } = useTranslation();
  const may = useMay();
  const [name, setName] = useState("");
  const [isShared, setShared] = useState(false);
  const save = useMutation({
    mutationFn: () =>
      said(
        client.POST("/api/v1/saved-filters", {
          body: { name: name.trim(), query: queryOf(view), is_shared: isShared },
        }),
      ),
    onSuccess: () => {
      setName("");
      void forgetFilters();
    },
  });
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim()) save.mutate();
  };
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-2 border-t border-line pt-3">
      <Field label={t("inbox.filter.saveAs")} error={save.error ? errorText(save.error, t) : undefined}>
        <Input value={name} maxLength={60} onChange={({ target }) => setName(target.value)} />
      </Field>
      {may("conversations.manage_filters") ? (
        <Check name={t("inbox.filter.share")} isOn={isShared} set={(on) => setShared(on ?? false)} />
      ) : null}
      <Button
        type="submit"
        disabled={!name.trim() || save.isPending}
        title={name.trim() ? undefined : t("inbox.filter.nameFirst")}
      >
        <BookmarkPlus aria-hidden />
        {t("inbox.filter.save")}
      </Button>
    </form>
  );
}

/** What narrows the list now, each with a way out of it. */
export function FilterChips({ view, show }: View) {
  const { t } = useTranslation();
  const { byId: labels } = useLabels();
  const { lines } = useLines();
  const chips: [keyof InboxSearch, string | undefined][] = [
    ["label", view.label && (labels.get(view.label)?.name ?? "…")],
    ["line", view.line && (lines.find(({ id }) => id === view.line)?.name ?? "…")],
    ["service", view.service && serviceName(view.service, t)],
    ["unread", view.unread && t("inbox.filter.unread")],
    ["pinned", view.pinned && t("inbox.filter.pinned")],
  ];
  return chips.map(([part, text]) =>
    text ? (
      <button
        key={part}
        type="button"
        aria-label={t("inbox.filter.without", { name: text })}
        onClick={() => show({ [part]: undefined })}
        className="flex h-6 shrink-0 items-center gap-1 rounded-sm bg-accent-soft px-1.5 text-xs text-accent-ink hover:bg-selected"
      >
        {text}
        <X aria-hidden className="size-3" />
      </button>
    ) : null,
  );
}
