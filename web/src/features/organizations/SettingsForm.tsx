import { useMutation } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
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

import { changeOf, type Draft, type Drafts, leftOf, withDraft } from "./draft";
import { LeavingOne } from "./LeavingOne";
import { SettingRow } from "./SettingRow";
import {
  type Level,
  type Own,
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

const begunWith = (drafts: Drafts, version: number): Begun | null =>
  Object.keys(drafts).length > 0 ? { drafts, version } : null;

function useSave(level: Level, own: Own, setBegun: (change: (now: Begun | null) => Begun | null) => void) {
  const { t } = useTranslation();
  return useMutation({
    mutationFn: ({ drafts, version }: Begun) => saveSettings(level, { ...changeOf(drafts), version }),
    onSuccess: async ({ version, items }, sent) => {
      toast("ok", t("organizations.saved"));
      setBegun((now) => begunWith(leftOf(now?.drafts ?? {}, sent.drafts, items, own), version));
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
  const element = useRef<HTMLFormElement>(null);
  const manages = useMay()("admin.settings_manage");
  const own: Own = level === undefined ? "tenant" : "organization";
  const [begun, setBegun] = useState<Begun | null>(null);
  const save = useSave(level, own, setBegun);
  const told = save.error instanceof ApiError ? save.error : null;
  const change = (setting: Setting, draft: Draft | null) =>
    setBegun((now) => {
      const drafts = now?.drafts ?? {};
      // what is being saved will not hold as it does: whether a draft changes anything is seen then
      const next =
        draft && save.isPending
          ? { ...drafts, [setting.key]: draft }
          : withDraft(drafts, setting, own, draft);
      return begunWith(next, now?.version ?? settings.version);
    });
  // what went wrong may stand beyond the edge, while the button that saves is always in sight
  useEffect(() => {
    if (told) element.current?.querySelector("[role=alert]")?.scrollIntoView({ block: "center" });
  }, [told]);
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
      <form ref={element} id={form} noValidate onSubmit={submit} className="flex max-w-3xl flex-col gap-4">
        {children}
        {manages ? null : <Notice tone="info">{t("organizations.mayNot")}</Notice>}
        {told && !atField ? (
          <Refused
            told={told}
            isUnsaved={begun !== null}
            takeTheirs={() => {
              setBegun(null);
              save.reset();
            }}
            saveMine={() => begun && save.mutate({ ...begun, version: settings.version })}
          />
        ) : null}
        {groupsOf(settings.items).map(({ group, items, isHeeded }) => (
          <Panel key={group} title={t(`organizations.groups.${group}`)} isFlush>
            {isHeeded ? null : <p className="px-4 pt-3 text-sm text-muted">{t("organizations.onlyKept")}</p>}
            <ul>
              {items.map((setting) => (
                <li key={setting.key} className="border-b border-line px-4 py-3 last:border-b-0">
                  <SettingRow
                    setting={setting}
                    own={own}
                    draft={begun?.drafts[setting.key]}
                    error={atField === setting.key ? errorText(told, t) : undefined}
                    isGroupHeeded={isHeeded}
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
      <LeavingOne
        isUnsaved={begun !== null}
        isSaving={save.isPending}
        discard={() => setBegun(null)}
        text={t("organizations.unsaved")}
      />
    </Page>
  );
}

interface RefusedProps {
  told: ApiError;
  isUnsaved: boolean;
  takeTheirs: () => void;
  saveMine: () => void;
}

/** Why nothing was saved, and the two ways on where somebody else was first. */
function Refused({ told, isUnsaved, takeTheirs, saveMine }: RefusedProps) {
  const { t } = useTranslation();
  return (
    <Notice tone="bad" isAlert>
      {errorText(told, t)}
      {told.code === "settings_changed" && isUnsaved ? (
        <div className="mt-2 flex flex-wrap gap-2">
          <Button onClick={takeTheirs}>{t("organizations.theirs")}</Button>
          <Button onClick={saveMine}>{t("organizations.mine")}</Button>
        </div>
      ) : null}
    </Notice>
  );
}

type Group = "brand" | "locale" | "hours" | "ai" | "mail" | "groups" | "wasender" | "cms";

interface Grouped {
  group: Group;
  items: Setting[];
  /** Something does as one of them says. */
  isHeeded: boolean;
}

/** In the order of the server's list. */
function groupsOf(items: readonly Setting[]): Grouped[] {
  const groups = new Map<Group, Setting[]>();
  for (const setting of items) {
    const group = setting.key.split(".")[0] as Group;
    groups.set(group, [...(groups.get(group) ?? []), setting]);
  }
  return [...groups].map(([group, items]) => ({
    group,
    items,
    isHeeded: items.some((setting) => setting.is_heeded),
  }));
}
