import { FileText, RotateCcw, X } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { Progress } from "@/components/ui/progress";
import { errorText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";

import { type Attached, keep } from "../data/drafts";
import { LARGEST, type Refusal, remove, retry, soundOf } from "./attach";
import { Listen } from "./Listen";

interface FilesProps {
  id: string;
  files: readonly Attached[];
  lost: number;
  /** One was thrown away by a key: where one goes on writing. */
  onGone: () => void;
}

/** What is to go with the text: how far each file is, and what can be done about one that is not. */
export default function Files({ id, files, lost, onGone }: FilesProps) {
  const { t } = useTranslation();
  return (
    <>
      {lost > 0 ? (
        <Notice tone="warn" className="mb-1.5 items-center py-1">
          <div className="flex items-center gap-2">
            <p className="min-w-0 flex-1">{t("files.lost", { count: lost })}</p>
            <Button size="sm" look="ghost" onClick={() => keep(id, { lost: 0 })}>
              {t("common.close")}
            </Button>
          </div>
        </Notice>
      ) : null}
      {files.length > 0 ? (
        <ul aria-label={t("files.label")} className="mb-1.5 flex max-h-40 flex-wrap gap-1.5 overflow-y-auto">
          {files.map((file) => (
            <li key={file.key} className="w-full sm:w-64">
              <One id={id} file={file} onGone={onGone} />
            </li>
          ))}
        </ul>
      ) : null}
    </>
  );
}

function One({ id, file, onGone }: { id: string; file: Attached; onGone: () => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { key, size, state, share } = file;
  const sound = heardOf(file);
  const name = sound ? t("files.voice.label") : file.name;
  const going =
    state === "uploading" ? (
      <Progress
        label={t("files.uploading", { name })}
        parts={[{ className: "bg-accent", value: share }]}
        total={1}
        className="mt-1.5 h-1.5"
      />
    ) : (
      <p role="alert" className="text-xs text-bad">
        <Why file={file} />
      </p>
    );
  return (
    <div
      className="flex h-full items-center gap-2 rounded-md border border-line bg-raised p-1.5 pr-1"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !sound) return;
        event.preventDefault();
        remove(id, key);
        onGone();
      }}
    >
      {sound ? (
        <Listen {...sound}>{state === "ready" ? null : going}</Listen>
      ) : (
        <>
          <Look file={file} />
          <div className="min-w-0 flex-1">
            <p className="truncate text-sm" title={name}>
              {name}
            </p>
            {state === "ready" ? <p className="figures text-xs text-faint">{formats.bytes(size)}</p> : going}
          </div>
        </>
      )}
      {state === "failed" ? (
        <Button
          look="ghost"
          size="iconSm"
          aria-label={t("files.retry", { name })}
          title={t("common.retry")}
          onClick={() => retry(id, key)}
        >
          <RotateCcw aria-hidden />
        </Button>
      ) : null}
      <Button
        look="ghost"
        size="iconSm"
        aria-label={t("files.remove", { name })}
        title={t("files.remove", { name })}
        onClick={() => remove(id, key)}
      >
        <X aria-hidden />
      </Button>
    </div>
  );
}

/** A voice message that was recorded here, or with this draft on another device. */
function heardOf({ key, media }: Attached) {
  const here = soundOf(key);
  if (here) return { source: here.url, lengthMs: here.lengthMs };
  const source = media?.is_voice ? (media.playable_url ?? media.url) : null;
  return source ? { source, lengthMs: media?.duration_ms ?? null } : null;
}

/** The picture itself, where a browser shows it. */
function Look({ file: { media } }: { file: Attached }) {
  const [isBroken, setBroken] = useState(false);
  const source = media?.kind === "image" ? (media.thumbnail_url ?? media.playable_url) : null;
  if (source && !isBroken) {
    return (
      <img
        src={source}
        alt=""
        onError={() => setBroken(true)}
        className="size-10 shrink-0 rounded-sm bg-canvas object-cover"
      />
    );
  }
  return (
    <span className="flex size-10 shrink-0 items-center justify-center rounded-sm bg-canvas text-muted">
      <FileText aria-hidden className="size-5" />
    </span>
  );
}

function Why({ file: { error, state } }: { file: Attached }) {
  const { t } = useTranslation();
  const formats = useFormats();
  if (state === "failed") return errorText(error, t);
  return t(`files.refused.${error as Refusal}`, { most: formats.bytes(LARGEST) });
}
