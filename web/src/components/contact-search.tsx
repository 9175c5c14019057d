import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useDeferredValue, useId, useState } from "react";
import { useTranslation } from "react-i18next";

import { Avatar } from "@/components/avatar";
import { Input } from "@/components/ui/input";
import { client, type Schemas } from "@/lib/api/client";
import { cn } from "@/lib/cn";
import { phoneText } from "@/lib/format";
import { fullName } from "@/lib/text";

type Contact = Schemas["Contact"];

interface ContactSearchProps {
  label: string;
  onChoose: (contact: Contact) => void;
  /** Contacts that may not be chosen here. */
  without?: string | undefined;
  autoFocus?: boolean;
}

/** Finds one contact by the beginning of a name, or by digits of a number. */
export function ContactSearch({ label, onChoose, without, autoFocus }: ContactSearchProps) {
  const { t } = useTranslation();
  const id = useId();
  const [text, setText] = useState("");
  const [place, setPlace] = useState(0);
  const [isOpen, setOpen] = useState(false);
  const q = useDeferredValue(text.trim());
  const { data, error } = useQuery({
    queryKey: ["contacts", "suggest", q],
    queryFn: ({ signal }) => client.GET("/api/v1/contacts/suggest", { params: { query: { q } }, signal }),
    enabled: q !== "",
    placeholderData: (before) => before,
  });
  const found = (q ? (data?.data?.items ?? []) : []).filter((contact) => contact.id !== without);
  const isShown = isOpen && q !== "";
  const at = Math.min(place, found.length - 1);
  const choose = (contact: Contact | undefined) => {
    if (!contact) return;
    setText("");
    setOpen(false);
    onChoose(contact);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing || !isShown) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length > 0) setPlace((at + step + found.length) % found.length);
    else if (event.key === "Enter") choose(found[at]);
    // the dialog around it stays: only the list goes
    else if (event.key === "Escape") setOpen(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div>
      <label htmlFor={id} className="mb-1 block text-sm font-medium text-muted">
        {label}
      </label>
      <Input
        id={id}
        type="text"
        role="combobox"
        autoComplete="off"
        autoFocus={autoFocus}
        data-first={autoFocus || undefined}
        aria-expanded={isShown}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={isShown && found[at] ? `${id}-${found[at].id}` : undefined}
        placeholder={t("common.contactSearch")}
        value={text}
        onChange={({ target }) => {
          setText(target.value);
          setPlace(0);
          setOpen(true);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      <ul
        id={`${id}-list`}
        role="listbox"
        aria-label={label}
        hidden={!isShown || found.length === 0}
        // the focus stays in the field
        onMouseDown={(event) => event.preventDefault()}
        className="mt-1 max-h-64 overflow-y-auto rounded-md border border-line bg-overlay p-1"
      >
        {found.map((contact, index) => (
          <li
            key={contact.id}
            id={`${id}-${contact.id}`}
            role="option"
            aria-selected={index === at}
            onClick={() => choose(contact)}
            className={cn(
              "flex cursor-pointer items-center gap-2.5 rounded-sm px-2 py-1.5 text-sm",
              index === at ? "bg-selected" : "hover:bg-hover",
            )}
          >
            <Who contact={contact} />
          </li>
        ))}
      </ul>
      {isShown && data && found.length === 0 ? (
        <p role="status" className="mt-1 text-sm text-muted">
          {t("common.contactNone")}
        </p>
      ) : null}
      {error ? (
        <p role="alert" className="mt-1 text-sm text-bad">
          {t("problems.unavailable")}
        </p>
      ) : null}
    </div>
  );
}

/** A contact in one line: name, and what tells it from others of that name. */
export function Who({ contact }: { contact: Contact }) {
  const told = contact.phone ? phoneText(contact.phone) : (contact.email ?? "");
  const name = fullName(contact, told);
  return (
    <>
      <Avatar name={name} className="size-6 text-2xs" />
      <span className="min-w-0 flex-1 truncate">{name}</span>
      {told === name ? null : <span className="truncate text-xs text-muted figures">{told}</span>}
    </>
  );
}
