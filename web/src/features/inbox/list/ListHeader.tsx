import { ChevronDown, ListFilter as FilterIcon, PenLine, Search, X } from "lucide-react";
import { type RefObject, useId } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Kbd } from "@/components/ui/kbd";
import { Menu, MenuChoice, MenuChoices } from "@/components/ui/menu";
import { Tooltip } from "@/components/ui/tooltip";
import { cn } from "@/lib/cn";
import { useFormats } from "@/lib/format";
import type { InboxSearch } from "@/routes/search";

import { useCounts } from "../data/counts";
import { hasFilters, type View } from "../view";
import { FilterChips, FilterMenu } from "./Filters";

const TABS = ["mine", "unassigned", "all"] as const;
const STATES = ["active", "snoozed", "archived", "closed"] as const;

interface HeaderProps extends View {
  searchField: RefObject<HTMLInputElement | null>;
  text: string;
  onText: (text: string) => void;
  onNew: (() => void) | undefined;
}

/** Above the list: search, whose conversations, where they stand, and what else narrows them. */
export function ListHeader({ view, show, searchField, text, onText, onNew }: HeaderProps) {
  const { t } = useTranslation();
  const isSearching = text !== "";
  return (
    <header className="flex shrink-0 flex-col gap-2 border-b border-line px-3 pt-2.5 pb-2">
      <h1 className="sr-only">{t("nav.inbox")}</h1>
      <div className="flex items-center gap-1.5">
        <SearchField field={searchField} text={text} onText={onText} />
        <FilterMenu view={view} show={show}>
          <Button look="ghost" size="icon" aria-label={t("inbox.filter.open")} className="relative">
            <FilterIcon aria-hidden />
            {hasFilters(view) ? (
              <span aria-hidden className="absolute top-1 right-1 size-1.5 rounded-full bg-accent-ink" />
            ) : null}
          </Button>
        </FilterMenu>
        {onNew ? (
          <Tooltip text={t("inbox.new.title")} keys="c">
            <Button look="ghost" size="icon" aria-label={t("inbox.new.title")} onClick={onNew}>
              <PenLine aria-hidden />
            </Button>
          </Tooltip>
        ) : null}
      </div>
      {isSearching ? null : (
        <>
          <Tabs view={view} show={show} />
          <div className="flex min-w-0 items-center gap-1.5 overflow-x-auto">
            <StateMenu view={view} show={show} />
            <FilterChips view={view} show={show} />
          </div>
        </>
      )}
    </header>
  );
}

interface FieldProps {
  field: RefObject<HTMLInputElement | null>;
  text: string;
  onText: (text: string) => void;
}

function SearchField({ field, text, onText }: FieldProps) {
  const { t } = useTranslation();
  const id = useId();
  return (
    <div role="search" className="relative min-w-0 flex-1">
      <label htmlFor={id} className="sr-only">
        {t("inbox.search.label")}
      </label>
      <Search aria-hidden className="pointer-events-none absolute top-2 left-2.5 size-4 text-faint" />
      <input
        id={id}
        ref={field}
        type="text"
        inputMode="search"
        autoComplete="off"
        value={text}
        placeholder={t("inbox.search.placeholder")}
        onChange={(event) => onText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || event.nativeEvent.isComposing) return;
          event.stopPropagation();
          if (text) onText("");
          else event.currentTarget.blur();
        }}
        className="h-8 w-full rounded-md border border-edge bg-canvas pr-8 pl-8 text-base text-ink placeholder:text-faint focus-visible:outline-offset-0"
      />
      {text ? (
        <Button
          look="ghost"
          size="iconSm"
          aria-label={t("inbox.search.clear")}
          className="absolute top-0.5 right-0.5"
          onClick={() => {
            onText("");
            field.current?.focus();
          }}
        >
          <X aria-hidden />
        </Button>
      ) : (
        <Kbd keys="/" className="pointer-events-none absolute top-1.5 right-2 max-md:hidden" />
      )}
    </div>
  );
}

function Tabs({ view, show }: View) {
  const { t } = useTranslation();
  const formats = useFormats();
  const counts = useCounts();
  const isActive = !view.state || view.state === "active";
  const chosen = view.tab ?? "all";
  const totals = { mine: counts?.mine, unassigned: counts?.unassigned, all: counts?.active };
  const unread = {
    mine: counts?.mine_unread,
    unassigned: counts?.unassigned_unread,
    all: counts?.all_unread,
  };
  return (
    <div role="group" aria-label={t("inbox.tabs.label")} className="-mx-1 flex gap-0.5">
      {TABS.map((tab) => (
        <button
          key={tab}
          type="button"
          aria-pressed={tab === chosen}
          onClick={() => show({ tab: tab === "all" ? undefined : tab })}
          className={cn(
            "flex h-7 min-w-0 items-center gap-1.5 rounded-md px-2 text-sm font-medium whitespace-nowrap",
            tab === chosen ? "bg-selected text-ink" : "text-muted hover:bg-hover hover:text-ink",
          )}
        >
          {t(`inbox.tabs.${tab}`)}
          {isActive && totals[tab] !== undefined ? (
            <span className="figures text-xs font-normal text-faint">{formats.number(totals[tab])}</span>
          ) : null}
          {unread[tab] ? (
            <span title={t("inbox.unreadConversations", { count: unread[tab] })}>
              <span aria-hidden className="block size-1.5 rounded-full bg-info" />
              <span className="sr-only">{t("inbox.unreadConversations", { count: unread[tab] })}</span>
            </span>
          ) : null}
        </button>
      ))}
    </div>
  );
}

function StateMenu({ view, show }: View) {
  const { t } = useTranslation();
  const formats = useFormats();
  const counts = useCounts();
  const chosen = view.state ?? "active";
  return (
    <Menu
      align="start"
      trigger={
        <Button
          look="ghost"
          size="sm"
          className="-ml-1.5 px-1.5"
          aria-label={t("inbox.state.label", { state: t(`inbox.state.${chosen}`) })}
        >
          {t(`inbox.state.${chosen}`)}
          <ChevronDown aria-hidden className="size-3.5!" />
        </Button>
      }
    >
      <MenuChoices
        value={chosen}
        onValueChange={(state) =>
          show({ state: state === "active" ? undefined : (state as InboxSearch["state"]) })
        }
      >
        {STATES.map((state) => (
          <MenuChoice key={state} value={state}>
            <span className="flex-1">{t(`inbox.state.${state}`)}</span>
            <span className="figures text-xs text-faint">{counts ? formats.number(counts[state]) : ""}</span>
          </MenuChoice>
        ))}
      </MenuChoices>
    </Menu>
  );
}
