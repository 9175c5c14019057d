import { ArrowLeft, PanelRight } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Avatar } from "@/components/avatar";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Tooltip } from "@/components/ui/tooltip";
import { phoneText, useFormats } from "@/lib/format";

import { usePresence } from "../data/presence";
import { useUsers } from "../data/reference";
import { ServiceMark } from "../ServiceMark";
import type { Conversation } from "../wire";
import { nameOf } from "../words";

interface HeaderProps {
  conversation: Conversation;
  actions: ReactNode;
  isPanelOpen: boolean | undefined;
  onBack: () => void;
  onPanel: () => void;
}

/** Whom one writes to, by what, who has it and where it stands; and what can be done with it. */
export function ThreadHeader({ conversation, actions, isPanelOpen, onBack, onPanel }: HeaderProps) {
  const { t } = useTranslation();
  const { byId: users } = useUsers();
  const name = nameOf(conversation, t);
  const assignee = conversation.assignee_id ? users.get(conversation.assignee_id) : undefined;
  return (
    <header className="flex min-h-13 shrink-0 items-center gap-2 border-b border-line px-2 py-1.5 md:px-3">
      <Button look="ghost" size="icon" className="md:hidden" aria-label={t("inbox.back")} onClick={onBack}>
        <ArrowLeft aria-hidden />
      </Button>
      <Avatar name={name} className="max-sm:hidden" />
      <div className="min-w-0 flex-1">
        <div className="flex min-w-0 items-center gap-2">
          <h2 className="truncate text-base font-semibold">{name}</h2>
          <State conversation={conversation} />
        </div>
        <p className="flex min-w-0 items-center gap-1.5 text-xs text-faint">
          <ServiceMark service={conversation.service} />
          {conversation.name ? (
            <span className="figures truncate">{phoneText(conversation.address)}</span>
          ) : null}
          <span className="truncate max-sm:hidden">
            {t("inbox.byLine", { line: conversation.line_name })}
            {" · "}
            {assignee ? t("inbox.has", { name: assignee.name }) : t("inbox.nobodyHas")}
          </span>
        </p>
      </div>
      {actions}
      <Tooltip text={t("inbox.panel.toggle")} keys="i">
        <Button
          look="ghost"
          size="icon"
          aria-label={t("inbox.panel.toggle")}
          aria-pressed={isPanelOpen}
          onClick={onPanel}
        >
          <PanelRight aria-hidden />
        </Button>
      </Tooltip>
    </header>
  );
}

function State({ conversation: { state, snoozed_until: until } }: { conversation: Conversation }) {
  const { t } = useTranslation();
  const formats = useFormats();
  if (until) return <Badge tone="warn">{t("inbox.snoozedUntil", { at: formats.dateTime(until) })}</Badge>;
  if (state === "active") return null;
  return <Badge tone={state === "closed" ? "ok" : "quiet"}>{t(`inbox.stateOne.${state}`)}</Badge>;
}

/** Who else is here: two should not answer at once. */
export function Others({ id }: { id: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { people, typingUntil } = usePresence(id);
  const typing = people.filter(({ state }) => state === "typing").map(({ name }) => name);
  const here = people.filter(({ state }) => state === "here").map(({ name }) => name);
  return (
    <div role="status" className="shrink-0 text-xs empty:hidden">
      {typing.length > 0 ? (
        <p className="bg-warn-soft px-4 py-1 text-warn">
          {t("inbox.others.typing", { count: typing.length, names: formats.list(typing) })}
        </p>
      ) : null}
      {typing.length === 0 && here.length > 0 ? (
        <p className="bg-raised px-4 py-1 text-muted">
          {t("inbox.others.here", { count: here.length, names: formats.list(here) })}
        </p>
      ) : null}
      {typingUntil > 0 ? <p className="px-4 py-1 text-ok">{t("inbox.isTyping")}</p> : null}
    </div>
  );
}
