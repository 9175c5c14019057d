import { useMutation } from "@tanstack/react-query";
import { Download, Tag, Tags, Trash2, X } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { type Choice, Picker } from "@/components/picker";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { toast } from "@/components/ui/toasts";
import { api, client, type Schemas } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";
import { useMay } from "@/lib/session";
import { plain } from "@/lib/text";
import type { ContactsSearch } from "@/routes/search";

import { refreshBulks } from "./Bulks";
import { filterOf, isNarrowed } from "./filter";
import { makeLabel, useLabels } from "./labels";
import type { useSelection } from "./selection";

type Act = { act: "label" | "unlabel"; labelId: string } | { act: "delete" | "export" };

interface BulkBarProps {
  search: ContactsSearch;
  choice: ReturnType<typeof useSelection<Schemas["Contact"]>>;
  onBegun: (bulk: string) => void;
}

/** What can be done with those that were chosen. */
export function BulkBar({ search, choice, onBegun }: BulkBarProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  const may = useMay();
  const [picked, setPicked] = useState<"label" | "unlabel" | null>(null);
  const [isAsked, setAsked] = useState(false);
  const { chosen, canTakeAll, takeAll, clear } = choice;
  const count = useCount(search, choice.count);
  const begin = useMutation({
    mutationFn: async (act: Act) => {
      const filter = (chosen.isAll ? filterOf(search) : { ids: [...chosen.ids] }) as Schemas["ContactFilter"];
      const bulk = await send(act, filter);
      if (!bulk) throw ApiError.unreachable();
      return bulk;
    },
    onSuccess: ({ id }) => {
      void refreshBulks(id);
      onBegun(id);
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  const isBusy = begin.isPending;
  const number = formats.number(count ?? 0);
  return (
    <div
      role="region"
      aria-label={t("contacts.choice.label")}
      className="flex shrink-0 flex-wrap items-center gap-2 border-b border-line bg-accent-soft px-4 py-2 md:px-6"
    >
      <Button look="ghost" size="iconSm" aria-label={t("contacts.choice.clear")} onClick={clear}>
        <X aria-hidden />
      </Button>
      <p role="status" className="mr-2 text-sm font-medium">
        {choice.count !== null
          ? t("contacts.choice.count", { count: choice.count, number })
          : count === null
            ? t("contacts.choice.all")
            : t("contacts.choice.allCount", { number })}
      </p>
      {canTakeAll ? (
        <Button size="sm" look="ghost" className="text-accent-ink" onClick={takeAll}>
          {t("contacts.choice.takeAll")}
        </Button>
      ) : null}
      <div className="flex flex-wrap gap-2 md:ml-auto">
        {may("contacts.edit") ? (
          <>
            <Button size="sm" disabled={isBusy} onClick={() => setPicked("label")}>
              <Tag aria-hidden />
              {t("contacts.choice.addLabel")}
            </Button>
            <Button size="sm" disabled={isBusy} onClick={() => setPicked("unlabel")}>
              <Tags aria-hidden />
              {t("contacts.choice.removeLabel")}
            </Button>
          </>
        ) : null}
        {may("contacts.export") ? (
          <Button size="sm" disabled={isBusy} onClick={() => begin.mutate({ act: "export" })}>
            <Download aria-hidden />
            {t("contacts.choice.export")}
          </Button>
        ) : null}
        {may("contacts.delete") ? (
          <Button size="sm" disabled={isBusy} onClick={() => setAsked(true)}>
            <Trash2 aria-hidden />
            {t("contacts.choice.delete")}
          </Button>
        ) : null}
      </div>
      {picked ? (
        <LabelPicker
          title={t(picked === "label" ? "contacts.choice.addLabel" : "contacts.choice.removeLabel")}
          canMake={picked === "label"}
          onChoose={(labelId) => begin.mutate({ act: picked, labelId })}
          onClose={() => setPicked(null)}
        />
      ) : null}
      <Confirm
        open={isAsked}
        onOpenChange={setAsked}
        title={
          count === null
            ? t("contacts.choice.deleteAllTitle")
            : t("contacts.choice.deleteTitle", { count, number })
        }
        act={t("contacts.choice.delete")}
        isDangerous
        onConfirm={() => begin.mutate({ act: "delete" })}
      >
        {chosen.isAll && !isNarrowed(search) ? (
          <p className="mb-2 font-semibold text-bad">{t("contacts.choice.deleteEverything")}</p>
        ) : null}
        <p>{t("contacts.choice.deleteText")}</p>
      </Confirm>
    </div>
  );
}

/** Of all that match more are meant than are loaded: the server counts them, for whoever may have an audience counted. */
function useCount(search: ContactsSearch, known: number | null): number | null {
  const may = useMay();
  const body = { filter: filterOf(search) as Schemas["ContactFilter"] };
  const { data } = api.useQuery(
    "post",
    "/api/v1/campaigns/audience",
    { body },
    { enabled: known === null && may("campaigns.view"), staleTime: 0 },
  );
  return known ?? data?.selected ?? null;
}

async function send(act: Act, filter: Schemas["ContactFilter"]): Promise<Schemas["Bulk"] | undefined> {
  switch (act.act) {
    case "label":
    case "unlabel": {
      const body = { filter, label_id: act.labelId, remove: act.act === "unlabel" };
      return (await client.POST("/api/v1/contacts/bulk/label", { body })).data;
    }
    case "delete":
      return (await client.POST("/api/v1/contacts/bulk/delete", { body: { filter } })).data;
    case "export":
      return (await client.POST("/api/v1/contacts/bulk/export", { body: { filter } })).data;
  }
}

interface LabelPickerProps {
  title: string;
  /** Whether one that is not there yet can be made here. */
  canMake: boolean;
  /** Those that it has already. */
  has?: readonly string[];
  onChoose: (labelId: string) => void;
  onClose: () => void;
}

const MAKE = "make:";

/** Chooses a label by its name, or makes it. */
export function LabelPicker({ title, canMake, has = [], onChoose, onClose }: LabelPickerProps) {
  const { t } = useTranslation();
  const { labels } = useLabels();
  const choices = (text: string): Choice[] => {
    const known = labels.map(({ id, name }) => ({ id: id as string, text: name, isOn: has.includes(id) }));
    const isKnown = known.some((label) => plain(label.text) === plain(text));
    if (!canMake || text === "" || isKnown) return known;
    return [
      ...known,
      { id: `${MAKE}${text}`, text: t("contacts.label.make", { name: text }), isAlways: true },
    ];
  };
  const choose = async (id: string) => {
    try {
      onChoose(id.startsWith(MAKE) ? (await makeLabel(id.slice(MAKE.length))).id : id);
    } catch (error) {
      toast("bad", errorText(error, t));
    }
  };
  return (
    <Picker
      title={title}
      placeholder={t(canMake ? "contacts.label.search" : "contacts.label.find")}
      none={t("contacts.label.none")}
      choices={choices}
      onChoose={({ id }) => {
        void choose(id);
        return false;
      }}
      onClose={onClose}
    />
  );
}
