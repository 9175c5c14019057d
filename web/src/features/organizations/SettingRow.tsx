import { useTranslation } from "react-i18next";

import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { useFormats } from "@/lib/format";

import { behind, type Draft, shownOf } from "./draft";
import { SettingField } from "./SettingField";
import type { Held, Setting, Source } from "./wire";

interface SettingRowProps {
  setting: Setting;
  /** What is set here is of that source. */
  own: Source;
  draft: Draft | undefined;
  error: string | undefined;
  /** Only to be read. */
  isFixed: boolean;
  onChange: (draft: Draft | null) => void;
}

const TONES: Record<Source, Tone> = { organization: "accent", tenant: "info", default: "quiet" };

/** One setting: its value, where that comes from, and the way back to what it would be without. */
export function SettingRow({ setting, own, draft, error, isFixed, onChange }: SettingRowProps) {
  const { t } = useTranslation();
  const label = t(`organizations.keys.${setting.key}`);
  const shown = shownOf(setting, own, draft);
  const other = behind(setting, own);
  const isOwn = shown.source === own;
  const origin = isOwn ? "own" : shown.source === "tenant" ? "tenant" : "default";
  const back = t(own === "organization" ? "organizations.inherit" : "organizations.takeBack");
  return (
    <div className="flex flex-col gap-2">
      <SettingField
        setting={setting}
        label={label}
        shown={shown}
        isTyped={draft?.kind === "set"}
        error={error}
        isFixed={isFixed}
        onChange={onChange}
      />
      <div className="flex min-h-7 flex-wrap items-center gap-2 text-xs text-faint">
        <Badge tone={isOwn ? "accent" : TONES[shown.source]}>{t(`organizations.sources.${origin}`)}</Badge>
        {draft ? <Badge tone="warn">{t("organizations.notSaved")}</Badge> : null}
        <Said setting={setting} shown={shown} isOwn={isOwn} other={other} />
        {isFixed ? null : (
          <span className="ml-auto flex flex-wrap gap-1">
            {setting.is_nullable && shown.is_some && other?.is_some ? (
              <Button
                look="ghost"
                size="sm"
                aria-label={`${t("organizations.none")}: ${label}`}
                onClick={() => onChange({ kind: "set", value: null })}
              >
                {t("organizations.none")}
              </Button>
            ) : null}
            {isOwn && other ? (
              <Button
                look="ghost"
                size="sm"
                aria-label={`${back}: ${label}`}
                onClick={() => onChange({ kind: "unset" })}
              >
                {back}
              </Button>
            ) : null}
          </span>
        )}
      </div>
    </div>
  );
}

interface SaidProps {
  setting: Setting;
  shown: Held;
  isOwn: boolean;
  other: Held | null;
}

/** What can't be seen in the field: that it is empty on purpose, what it stands before, since when a secret is there. */
function Said({ setting, shown, isOwn, other }: SaidProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  const isSecret = setting.kind.type === "secret";
  const isEmpty = shown.value === "" || (Array.isArray(shown.value) && shown.value.length === 0);
  const parts = [
    isSecret && shown.is_some && shown.set_at
      ? t("organizations.setOn", { at: formats.dateTime(shown.set_at) })
      : null,
    isSecret && !shown.is_some && !isOwn ? t("organizations.noSecret") : null,
    isOwn && !shown.is_some ? t("organizations.noneHere") : null,
    shown.is_some && isEmpty ? t("organizations.emptyHere") : null,
    isOwn && other && !isSecret && ["string", "number"].includes(typeof other.value) && other.value !== ""
      ? t("organizations.without", { value: String(other.value) })
      : null,
    setting.is_heeded ? t(`organizations.uses.${setting.key as "locale.region" | "locale.time_zone"}`) : null,
  ];
  return <span className="min-w-0 [overflow-wrap:anywhere]">{parts.filter(Boolean).join(" · ")}</span>;
}
