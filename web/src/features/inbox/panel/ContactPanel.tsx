import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Ban, ShieldCheck, SquarePen, X } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";

import { Avatar } from "@/components/avatar";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { phoneText, useFormats } from "@/lib/format";
import { useMay } from "@/lib/session";

import { refresher } from "../data/conversation";
import { useLabels, useUsers } from "../data/reference";
import { LabelDot } from "../LabelDot";
import { type Conversation, said } from "../wire";
import { nameOf, serviceName } from "../words";

interface PanelProps {
  conversation: Conversation;
  onClose: () => void;
  onLabel: () => void;
  onAssign: () => void;
}

/** Who the other side is, and what may be sent to them. */
export function ContactPanel({ conversation, onClose, onLabel, onAssign }: PanelProps) {
  const { t } = useTranslation();
  const name = nameOf(conversation, t);
  return (
    <>
      <header className="flex min-h-13 shrink-0 items-center justify-between border-b border-line px-4">
        <h2 className="text-base font-semibold">{t("inbox.panel.title")}</h2>
        <Button look="ghost" size="iconSm" aria-label={t("inbox.panel.close")} onClick={onClose}>
          <X aria-hidden />
        </Button>
      </header>
      <div
        tabIndex={0}
        role="region"
        aria-label={t("inbox.panel.title")}
        className="min-h-0 flex-1 overflow-y-auto outline-offset-[-2px]"
      >
        <div className="flex flex-col items-center gap-1 px-4 pt-5 pb-4 text-center">
          <Avatar name={name} className="size-14 text-lg" />
          <p className="mt-1 max-w-full truncate text-lg font-semibold">{name}</p>
          {conversation.name ? (
            <p className="figures text-sm text-muted">{phoneText(conversation.address)}</p>
          ) : null}
        </div>
        <Section title={t("inbox.panel.conversation")}>
          <Conversed conversation={conversation} onLabel={onLabel} onAssign={onAssign} />
        </Section>
        <Section title={t("inbox.panel.consent")}>
          <Consent conversation={conversation} />
        </Section>
        <Person conversation={conversation} />
      </div>
    </>
  );
}

function Section({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <section className="border-t border-line px-4 py-3">
      <div className="mb-2 flex min-h-6 items-center justify-between">
        <h3 className="text-xs font-semibold text-faint">{title}</h3>
        {aside}
      </div>
      {children}
    </section>
  );
}

function Facts({ facts }: { facts: [string, ReactNode][] }) {
  return (
    <dl className="flex flex-col gap-1.5 text-sm">
      {facts.map(([name, value]) =>
        value ? (
          <div key={name} className="grid grid-cols-[6.5rem_1fr] gap-2">
            <dt className="text-faint">{name}</dt>
            <dd className="min-w-0 [overflow-wrap:anywhere]">{value}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}

function Conversed({ conversation, onLabel, onAssign }: Omit<PanelProps, "onClose">) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { byId: users } = useUsers();
  const { byId: labels } = useLabels();
  const assignee = conversation.assignee_id ? users.get(conversation.assignee_id) : undefined;
  const own = conversation.label_ids.flatMap((id) => labels.get(id) ?? []);
  const link = "text-left text-accent-ink hover:underline";
  return (
    <Facts
      facts={[
        [
          t("inbox.panel.assignee"),
          <button key="assign" type="button" className={link} onClick={onAssign}>
            {assignee?.name ?? t("inbox.assign.nobody")}
          </button>,
        ],
        [
          t("inbox.panel.labels"),
          <button key="label" type="button" className={`${link} flex flex-wrap gap-x-2`} onClick={onLabel}>
            {own.length > 0
              ? own.map((label) => <LabelDot key={label.id} label={label} />)
              : t("inbox.panel.addLabel")}
          </button>,
        ],
        [t("inbox.panel.line"), conversation.line_name],
        [t("inbox.panel.service"), serviceName(conversation.service, t)],
        [t("inbox.panel.since"), formats.date(conversation.created_at)],
      ]}
    />
  );
}

/** Whether messages may go there, and what the user may do about it. */
function Consent({ conversation }: { conversation: Conversation }) {
  const { t } = useTranslation();
  const may = useMay();
  const [asked, setAsked] = useState<"opt_out" | "allow" | "blacklist" | null>(null);
  const { address, suppression, id } = conversation;
  const act = useMutation({
    mutationFn: async (kind: NonNullable<typeof asked>) => {
      if (kind === "allow") {
        await client.DELETE("/api/v1/suppressions/{address}", { params: { path: { address } } });
      } else {
        const reason = kind === "blacklist" ? "blacklisted" : "opted_out";
        await client.POST("/api/v1/suppressions", { body: { address, reason } });
      }
    },
    onSuccess: () => {
      refresher.ask(id);
      toast("ok", t("inbox.consent.done"));
    },
    onError: (error) => toast("bad", errorText(error, t)),
  });
  const state = (suppression ?? "free") as "free" | "opted_out" | "opt_out_review" | "blacklisted";
  if (conversation.kind === "group") return <p className="text-sm text-muted">{t("inbox.consent.group")}</p>;
  return (
    <div className="flex flex-col items-start gap-2">
      <Badge tone={state === "free" ? "ok" : state === "opt_out_review" ? "warn" : "bad"}>
        {state === "free" ? <ShieldCheck aria-hidden /> : <Ban aria-hidden />}
        {t(`inbox.consent.${state}`)}
      </Badge>
      <p className="text-xs text-muted">{t(`inbox.consent.${state}Says`)}</p>
      <div className="flex flex-wrap gap-1.5">
        {suppression && may("consent.opt_in_override") ? (
          <Button size="sm" onClick={() => setAsked("allow")}>
            {t("inbox.consent.allow")}
          </Button>
        ) : null}
        {suppression !== "opted_out" && suppression !== "blacklisted" && may("consent.opt_out") ? (
          <Button size="sm" onClick={() => setAsked("opt_out")}>
            {t("inbox.consent.optOut")}
          </Button>
        ) : null}
        {suppression !== "blacklisted" && may("consent.opt_out") ? (
          <Button size="sm" look="ghost" onClick={() => setAsked("blacklist")}>
            {t("inbox.consent.block")}
          </Button>
        ) : null}
      </div>
      {asked ? (
        <Confirm
          open
          onOpenChange={(open) => !open && setAsked(null)}
          title={t(`inbox.consent.ask.${asked}`)}
          act={t(`inbox.consent.act.${asked}`)}
          isDangerous={asked !== "opt_out"}
          onConfirm={() => act.mutate(asked)}
        >
          {t(`inbox.consent.askSays.${asked}`)}
        </Confirm>
      ) : null}
    </div>
  );
}

/** The contact of that address, where there is one. */
function Person({ conversation }: { conversation: Conversation }) {
  const { t } = useTranslation();
  const may = useMay();
  const id = conversation.contact?.id;
  const isAllowed = may("contacts.view");
  const { data } = useQuery({
    queryKey: ["inbox", "contact", id],
    queryFn: () => said(client.GET("/api/v1/contacts/{id}", { params: { path: { id: id ?? "" } } })),
    enabled: Boolean(id) && isAllowed,
  });
  if (!isAllowed) return null;
  if (!id) {
    return (
      <Section title={t("inbox.panel.person")}>
        <p className="text-sm text-muted">{t("inbox.panel.noContact")}</p>
      </Section>
    );
  }
  if (!data) return null;
  const place = [data.address, data.postal_code, data.city, data.state, data.country]
    .filter(Boolean)
    .join(", ");
  const attributes = Object.entries(data.attributes);
  return (
    <>
      <Section
        title={t("inbox.panel.person")}
        aside={
          <Button asChild look="ghost" size="sm">
            <Link to="/contacts" search={{ contact: id }}>
              <SquarePen aria-hidden />
              {t(may("contacts.edit") ? "inbox.panel.edit" : "inbox.panel.show")}
            </Link>
          </Button>
        }
      >
        <Facts
          facts={[
            [t("inbox.panel.phone"), data.phone ? phoneText(data.phone) : null],
            [t("inbox.panel.secondPhone"), data.second_phone ? phoneText(data.second_phone) : null],
            [t("inbox.panel.email"), data.email],
            [t("inbox.panel.company"), data.company],
            [t("inbox.panel.place"), place],
            [t("inbox.panel.timeZone"), data.time_zone],
          ]}
        />
      </Section>
      {attributes.length > 0 ? (
        <Section title={t("inbox.panel.attributes")}>
          <Facts facts={attributes} />
        </Section>
      ) : null}
    </>
  );
}
