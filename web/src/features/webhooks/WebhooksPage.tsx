import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { MoreHorizontal, Plus, Webhook as Hook } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { type Column, DataTable } from "@/components/ui/data-table";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Notice } from "@/components/ui/notice";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { client } from "@/lib/api/client";
import { errorText } from "@/lib/api/error";
import { PAGE_ROWS, usePages } from "@/lib/api/pages";
import { useFormats } from "@/lib/format";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useEvent } from "@/lib/live";

import { Rotate, SecretShown } from "./Secret";
import { EditWebhook, NewWebhook } from "./WebhookForm";
import { hostOf, readAgain, stateOf, type Webhook } from "./wire";

type Open =
  | { kind: "new" }
  | { kind: "edit" | "rotate" | "delete"; webhook: Webhook }
  | { kind: "secret"; secret: string | null };

/** Which programs are told what happens here, and how that goes. */
export function WebhooksPage() {
  const { t } = useTranslation();
  const [open, setOpen] = useState<Open | null>(null);
  const pages = usePages(["webhooks"], (cursor, signal) =>
    client.GET("/api/v1/webhooks", { params: { query: { cursor, limit: PAGE_ROWS } }, signal }),
  );
  useEvent("webhook.disabled", () => void readAgain());
  const acts = useActs(setOpen);
  const columns = useColumns(acts);
  const add = () => setOpen({ kind: "new" });
  useShortcuts([{ keys: "n", label: t("webhooks.add"), group: t("webhooks.title"), run: add }]);
  const close = () => setOpen(null);
  const addButton = (
    <Button look="solid" onClick={add}>
      <Plus aria-hidden />
      {t("webhooks.add")}
    </Button>
  );
  return (
    <Page title={t("webhooks.title")} isFilled actions={addButton}>
      {pages.isPending ? (
        <Loading />
      ) : pages.error ? (
        <Failed error={pages.error} retry={pages.refetch} />
      ) : pages.rows.length === 0 ? (
        <Empty icon={Hook} title={t("webhooks.none")}>
          {t("webhooks.noneNext")}
        </Empty>
      ) : (
        <>
          <Trouble rows={pages.rows} />
          <DataTable
            label={t("webhooks.title")}
            columns={columns}
            rows={pages.rows}
            rowId={({ id }) => id}
            hasMore={pages.hasMore}
            isLoadingMore={pages.isLoadingMore}
            loadMore={pages.loadMore}
          />
        </>
      )}
      {open?.kind === "new" ? (
        <NewWebhook onClose={close} onMade={(secret) => setOpen({ kind: "secret", secret })} />
      ) : null}
      {open?.kind === "edit" ? <EditWebhook webhook={open.webhook} onClose={close} /> : null}
      {open?.kind === "rotate" ? (
        <Rotate
          webhook={open.webhook}
          onClose={close}
          onRotated={(secret) => setOpen({ kind: "secret", secret })}
        />
      ) : null}
      {open?.kind === "secret" ? <SecretShown secret={open.secret} onClose={close} /> : null}
      {open?.kind === "delete" ? (
        <Confirm
          open
          onOpenChange={close}
          title={t("webhooks.deleteAsk", { host: hostOf(open.webhook.url) })}
          act={t("webhooks.delete")}
          isDangerous
          onConfirm={() => acts.remove(open.webhook)}
        >
          {t("webhooks.deleteSays")}
        </Confirm>
      ) : null}
    </Page>
  );
}

/** What somebody has to see to: what was switched off by itself, and what is told less than it was made for. */
function Trouble({ rows }: { rows: readonly Webhook[] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const off = rows.filter(({ disabled_reason: why }) => why === "gone" || why === "failing");
  const withheld = rows.filter(({ is_enabled, withheld_kinds: kinds }) => is_enabled && kinds.length > 0);
  if (off.length + withheld.length === 0) return null;
  return (
    <div className="flex flex-col gap-2 px-4 py-3 md:px-6">
      {off.map(({ id, url, disabled_reason: why, disabled_at: at }) => (
        <Notice key={id} tone="bad">
          {t(why === "gone" ? "webhooks.wasGone" : "webhooks.wasFailing", {
            host: hostOf(url),
            when: formats.dateTime(at ?? ""),
          })}
        </Notice>
      ))}
      {withheld.map(({ id, url }) => (
        <Notice key={id} tone="warn">
          {t("webhooks.withheld", { host: hostOf(url) })}
        </Notice>
      ))}
    </div>
  );
}

interface Acts {
  ask: (kind: "edit" | "rotate" | "delete", webhook: Webhook) => void;
  ping: (webhook: Webhook) => void;
  setOn: (webhook: Webhook, isOn: boolean) => void;
  remove: (webhook: Webhook) => void;
}

function useActs(setOpen: (open: Open) => void): Acts {
  const { t } = useTranslation();
  const onError = (error: Error) => toast("bad", errorText(error, t));
  const path = (id: string) => ({ params: { path: { id } } });
  const ping = useMutation({
    mutationFn: ({ id }: Webhook) => client.POST("/api/v1/webhooks/{id}/ping", path(id)),
    onSuccess: () => toast("ok", t("webhooks.pinged")),
    onError,
  });
  const turn = useMutation({
    mutationFn: ({ id, is_enabled }: { id: string; is_enabled: boolean }) =>
      client.PATCH("/api/v1/webhooks/{id}", { ...path(id), body: { is_enabled } }),
    onSuccess: (_, { is_enabled }) => {
      toast("ok", t(is_enabled ? "webhooks.isOn" : "webhooks.isOff"));
      return readAgain();
    },
    onError,
  });
  const remove = useMutation({
    mutationFn: ({ id }: Webhook) => client.DELETE("/api/v1/webhooks/{id}", path(id)),
    onSuccess: () => {
      toast("ok", t("webhooks.deleted"));
      return readAgain();
    },
    onError,
  });
  return {
    ask: (kind, webhook) => setOpen({ kind, webhook }),
    ping: (webhook) => ping.mutate(webhook),
    setOn: ({ id }, is_enabled) => turn.mutate({ id, is_enabled }),
    remove: (webhook) => remove.mutate(webhook),
  };
}

function useColumns(acts: Acts): Column<Webhook>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  return [
    {
      id: "url",
      header: t("webhooks.url"),
      cell: ({ id, url, description }) => (
        <span className="block truncate" title={url}>
          <Link
            to="/settings/webhooks"
            search={{ webhook: id }}
            className="font-medium text-accent-ink hover:underline"
          >
            {hostOf(url)}
          </Link>
          {description ? <span className="text-muted"> · {description}</span> : null}
        </span>
      ),
    },
    {
      id: "kinds",
      header: t("webhooks.events"),
      className: "hidden w-28 text-muted sm:table-cell",
      cell: ({ kinds }) => formats.number(kinds.length),
    },
    {
      id: "state",
      header: t("webhooks.state"),
      className: "w-32",
      cell: (webhook) => {
        const { name, tone } = stateOf(webhook);
        return <Badge tone={tone}>{t(`webhooks.states.${name}`)}</Badge>;
      },
    },
    {
      id: "since",
      header: t("webhooks.since"),
      className: "hidden w-36 text-muted lg:table-cell",
      cell: ({ created_at: at }) => <time title={formats.dateTime(at)}>{formats.relative(at)}</time>,
    },
    {
      id: "acts",
      header: t("webhooks.acts"),
      className: "w-14 text-right",
      cell: (webhook) => <RowMenu webhook={webhook} acts={acts} />,
    },
  ];
}

function RowMenu({ webhook, acts }: { webhook: Webhook; acts: Acts }) {
  const { t } = useTranslation();
  const isOn = webhook.is_enabled;
  return (
    <Menu
      align="end"
      trigger={
        <Button look="ghost" size="iconSm" aria-label={t("webhooks.actsOf", { host: hostOf(webhook.url) })}>
          <MoreHorizontal aria-hidden />
        </Button>
      }
    >
      <MenuItem onSelect={() => acts.ask("edit", webhook)}>{t("webhooks.edit")}</MenuItem>
      <MenuItem onSelect={() => acts.ping(webhook)}>{t("webhooks.ping")}</MenuItem>
      <MenuItem onSelect={() => acts.ask("rotate", webhook)}>{t("webhooks.rotate")}</MenuItem>
      <MenuItem onSelect={() => acts.setOn(webhook, !isOn)}>
        {t(isOn ? "webhooks.turnOff" : "webhooks.turnOn")}
      </MenuItem>
      <MenuItem onSelect={() => acts.ask("delete", webhook)}>{t("webhooks.delete")}</MenuItem>
    </Menu>
  );
}
