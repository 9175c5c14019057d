import { CircleCheck, Inbox, ListFilter } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Empty } from "@/components/ui/states";

import { hasFilters, type View } from "../view";

/** Why the list is empty, and what to do next. */
export function EmptyList({ view, show, onNew }: View & { onNew: (() => void) | undefined }) {
  const { t } = useTranslation();
  if (hasFilters(view)) {
    const clear = {
      label: undefined,
      line: undefined,
      service: undefined,
      unread: undefined,
      pinned: undefined,
    };
    return (
      <Empty
        icon={ListFilter}
        title={t("inbox.empty.filtered")}
        action={<Button onClick={() => show(clear)}>{t("inbox.empty.clear")}</Button>}
      >
        {t("inbox.empty.filteredNext")}
      </Empty>
    );
  }
  const state = view.state ?? "active";
  if (state !== "active") return <Empty icon={Inbox} title={t(`inbox.empty.${state}`)} />;
  if (view.tab === "mine" || view.tab === "unassigned") {
    return (
      <Empty
        icon={CircleCheck}
        title={t(`inbox.empty.${view.tab}`)}
        action={<Button onClick={() => show({ tab: undefined })}>{t("inbox.empty.seeAll")}</Button>}
      >
        {t(`inbox.empty.${view.tab}Next`)}
      </Empty>
    );
  }
  return (
    <Empty
      icon={Inbox}
      title={t("inbox.empty.all")}
      action={onNew ? <Button onClick={onNew}>{t("inbox.new.title")}</Button> : undefined}
    >
      {t("inbox.empty.allNext")}
    </Empty>
  );
}
