import { useMutation } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useId, useState } from "react";
import { useTranslation } from "react-i18next";

import { Leaving } from "@/components/leaving";
import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { Failed, Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { ApiError, errorText } from "@/lib/api/error";
import { useMay } from "@/lib/session";

import { changeOf, type Draft, type Drafts, withDraft } from "./draft";
import { SettingRow } from "./SettingRow";
import {
  type Level,
  readSettingsAgain,
  saveSettings,
  type Setting,
  type Settings,
  useSettings,
} from "./wire";

interface SettingsFormProps {
  /** The organization; none: the account. */
  level: Level;
  title: string;
  back?: ReactNode;
  /** Beside the button that saves. */
  actions?: ReactNode;
  /** Above the settings. */
  children?: ReactNode;
}

/** All settings of the account or of an organization, each with where its value comes from. */
export function SettingsForm(props: SettingsFormProps) {
  const settings = useSettings(props.level);
  if (settings.data) return <Form {...props} settings={settings.data} />;
  return (
    <Page title={props.title} back={props.back}>
      {settings.error ? <Failed error={settings.error} retry={() => void settings.refetch()} /> : <Loading />}
    </Page>
  );
}

/** What has been typed since, and what had been read when it began: from then on others' changes are no more replaced unseen. */
interface Begun {
  drafts: Drafts;
  version: number;
}

function useSave(level: Level, setBegun: (change: (now: Begun | null) => Begun | null) => void) {
  const { t } = useTranslation();
  return useMutation({
    mutationFn: ({ drafts, version }: Begun) => saveSettings(level, { ...changeOf(drafts), version }),
    onSuccess: async ({ version }, sent) => {
      toast("ok", t("organizations.saved"));
      setBegun((now) => (now && now.drafts !== sent.drafts ? { ...now, version } : null));
      await readSettingsAgain();
    },
    onError: () => readSettingsAgain(),
  });
}

function Form({
  level,
  title,
  back,
  actions,
  children,
  settings,
}: SettingsFormProps & { settings: Settings }) {
  const { t } = useTranslation();
  const form = useId();
  const manages = useMay()("admin.settings_manage");
  const own = level === undefined ? "tenant" : "organization";
  const [begun, setBegun] = useState<Begun | null>(null);
  const save = useSave(level, setBegun);
  const told = save.error instanceof ApiError ? save.error : null;
  const change = (setting: Setting, draft: Draft | null) =>
    setBegun((now) => {
      const drafts = withDraft(now?.drafts ?? {}, setting, own, draft);
      return Object.keys(drafts).length > 0 ? { drafts, version: now?.version ?? settings.version } : null;
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (begun) save.mutate(begun);
  };
  const atField = settings.items.find(({ key }) => told?.field === `set.${key}`)?.key;
  return (
    <Page
      title={title}
      back={back}
      actions={
        <>
          {actions}
          <Button
            look="solid"
            type="submit"
            form={form}
            disabled={!begun || save.isPending}
            title={manages ? undefined : t("organizations.mayNot")}
          >
            {t("common.save")}
          </Button>
        </>
      }
    >
      <form id={form} noValidate onSubmit={submit} className="flex max-w-3xl flex-col gap-4">
        {children}
        {manages ? null : <Notice tone="info">{t("organizations.mayNot")}</Notice>}
        {told && !atField ? (
          <Notice tone="bad" isAlert>
            {errorText(told, t)}
            {told.code === "settings_changed" && begun ? (
              <div className="mt-2 flex flex-wrap gap-2">
                <Button
                  onClick={() => {
                    setBegun(null);
                    save.reset();
                  }}
                >
                  {t("organizations.theirs")}
                </Button>
                <Button onClick={() => save.mutate({ ...begun, version: settings.version })}>
                  {t("organizations.mine")}
                </Button>
              </div>
            ) : null}
          </Notice>
        ) : null}
        {groupsOf(settings.items).map(([group, items]) => (
          <Panel key={group} title={t(`organizations.groups.${group}`)} isFlush>
            {items.some((setting) => setting.is_heeded) ? null : (
              <p className="px-4 pt-3 text-sm text-muted">{t("organizations.onlyKept")}</p>
            )}
            <ul>
              {items.map((setting) => (
                <li key={setting.key} className="border-b border-line px-4 py-3 last:border-b-0">
                  <SettingRow
                    setting={setting}
                    own={own}
                    draft={begun?.drafts[setting.key]}
                    error={atField === setting.key ? errorText(told, t) : undefined}
                    isFixed={!manages}
                    onChange={(draft) => change(setting, draft)}
                  />
                </li>
              ))}
            </ul>
          </Panel>
        ))}
      </form>
      <Leaving
        isUnsaved={begun !== null}
        isSaving={save.isPending}
        discard={() => setBegun(null)}
        text={t("organizations.unsaved")}
      />
    </Page>
  );
}

type Group = "brand" | "locale" | "hours" | "ai" | "mail" | "groups" | "wasender" | "cms";

/** In the order of the server's list. */
function groupsOf(items: readonly Setting[]): [Group, Setting[]][] {
  const groups = new Map<Group, Setting[]>();
  for (const setting of items) {
    const group = setting.key.split(".")[0] as Group;
    groups.set(group, [...(groups.get(group) ?? []), setting]);
  }
  return [...groups];
}
