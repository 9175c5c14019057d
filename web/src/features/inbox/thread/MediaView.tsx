import { Download, FileText, ImageOff, Play } from "lucide-react";
import { Dialog as Primitive } from "radix-ui";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { useFormats } from "@/lib/format";

import type { Media } from "../wire";

const WIDEST = 352;
const HIGHEST = 320;

/** Its place before it has come, so that nothing moves when it does. */
export function sizeOf({ width, height }: Pick<Media, "width" | "height">): {
  width: number;
  height: number;
} {
  if (!width || !height) return { width: 256, height: 192 };
  const scale = Math.min(1, WIDEST / width, HIGHEST / height);
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/** A file as it can be seen or heard; `renew` reads its addresses again, which hold for some minutes only. */
export function MediaView({ media, renew }: { media: Media; renew: () => void }) {
  const { t } = useTranslation();
  if (media.state === "pending") return <Waiting text={t("inbox.media.pending", { name: media.name })} />;
  if (media.state !== "stored" || !media.url) {
    return (
      <Waiting
        text={t(media.state === "too_large" ? "inbox.media.tooLarge" : "inbox.media.failed", {
          name: media.name,
        })}
      />
    );
  }
  switch (media.kind) {
    case "image":
      return <Picture media={media} renew={renew} />;
    case "video":
      return <Video media={media} />;
    case "audio":
      return <Sound media={media} />;
    case "file":
      return <File media={media} />;
  }
}

function Waiting({ text }: { text: string }) {
  return (
    <p className="flex items-center gap-2 rounded-xl bg-raised px-3 py-2 text-sm text-muted">
      <ImageOff aria-hidden className="size-4 shrink-0" />
      {text}
    </p>
  );
}

function Picture({ media, renew }: { media: Media; renew: () => void }) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  const [isRenewed, setRenewed] = useState(false);
  const size = sizeOf(media);
  const full = media.playable_url ?? media.url ?? "";
  return (
    <Primitive.Root open={isOpen} onOpenChange={setOpen}>
      <Primitive.Trigger asChild>
        <button
          type="button"
          className="block max-w-full overflow-hidden rounded-xl"
          aria-label={t("inbox.media.enlarge", { name: media.name })}
        >
          <img
            src={media.thumbnail_url ?? full}
            alt={media.name}
            width={size.width}
            height={size.height}
            onError={() => {
              // once: a picture that is broken stays so
              if (isRenewed) return;
              setRenewed(true);
              renew();
            }}
            className="block h-auto max-w-full bg-raised object-cover"
          />
        </button>
      </Primitive.Trigger>
      <Primitive.Portal>
        <div aria-hidden className="fixed inset-0 z-40 bg-canvas/90" />
        <Primitive.Content
          aria-describedby={undefined}
          className="fixed inset-2 z-50 flex flex-col items-center justify-center gap-3 outline-none sm:inset-8"
          onClick={() => setOpen(false)}
        >
          <Primitive.Title className="sr-only">{media.name}</Primitive.Title>
          <img src={full} alt={media.name} className="min-h-0 max-w-full rounded-lg object-contain" />
          <div className="flex gap-2">
            <Save media={media} />
            <Primitive.Close asChild>
              <Button>{t("common.close")}</Button>
            </Primitive.Close>
          </div>
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

function Save({ media }: { media: Media }) {
  const { t } = useTranslation();
  return (
    <Button asChild>
      <a href={media.url ?? ""} download={media.name} onClick={(event) => event.stopPropagation()}>
        <Download aria-hidden />
        {t("inbox.media.save")}
      </a>
    </Button>
  );
}

/** A large picture of it with a button that cannot be missed; nothing is loaded before that is pressed. */
function Video({ media }: { media: Media }) {
  const { t } = useTranslation();
  const [isPlaying, setPlaying] = useState(false);
  const size = sizeOf(media);
  const source = media.playable_url ?? media.url ?? "";
  const look = "block max-w-full rounded-xl bg-raised";
  if (isPlaying) {
    return <video src={source} width={size.width} height={size.height} controls autoPlay className={look} />;
  }
  return (
    <button
      type="button"
      aria-label={t("inbox.media.play", { name: media.name })}
      onClick={() => setPlaying(true)}
      className="relative block max-w-full overflow-hidden rounded-xl"
      style={{ width: size.width, height: size.height }}
    >
      {media.thumbnail_url ? (
        <img src={media.thumbnail_url} alt="" className="size-full bg-raised object-cover" />
      ) : (
        <span className="block size-full bg-raised" />
      )}
      <span className="absolute inset-0 m-auto flex size-16 items-center justify-center rounded-full bg-canvas/80 text-ink">
        <Play aria-hidden className="size-8 translate-x-0.5 fill-current" />
      </span>
      <Length
        media={media}
        className="absolute right-2 bottom-2 rounded-sm bg-canvas/80 px-1.5 text-xs text-ink"
      />
    </button>
  );
}

function Length({ media: { duration_ms: length }, className }: { media: Media; className: string }) {
  if (!length) return null;
  const seconds = Math.round(length / 1000);
  const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return <span className={`figures ${className}`}>{text}</span>;
}

function Sound({ media }: { media: Media }) {
  const { t } = useTranslation();
  return (
    <figure className="w-72 max-w-full rounded-xl bg-raised p-2">
      <audio
        src={media.playable_url ?? media.url ?? ""}
        controls
        preload="metadata"
        aria-label={media.is_voice ? t("inbox.media.voice") : media.name}
        className="h-10 w-full"
      />
      <Said media={media} />
    </figure>
  );
}

/** Why there may be no transcript, by the server's codes; a code of a later version is a failure like another. */
const REASONS = ["no_model", "too_long", "no_speech", "unreadable", "taken_back"] as const;

/** What is said in it and in which language, or why nobody knows. */
function Said({ media: { transcript } }: { media: Media }) {
  const { t, i18n } = useTranslation();
  if (!transcript) return null;
  const { state, text, language, reason } = transcript;
  return (
    <figcaption className="px-1 pt-1 text-sm text-muted">
      {state === "done" && text ? (
        <>
          <span lang={language ?? undefined} className="whitespace-pre-wrap">
            {text}
          </span>
          {language ? (
            <span className="block text-xs text-faint">
              {t("inbox.media.heard", {
                language: new Intl.DisplayNames(i18n.language, { type: "language" }).of(language),
              })}
            </span>
          ) : null}
        </>
      ) : (
        <span className="text-faint">
          {state === "pending"
            ? t("inbox.media.listening")
            : t(`inbox.media.noTranscript.${REASONS.find((known) => known === reason) ?? "failed"}`)}
        </span>
      )}
    </figcaption>
  );
}

function File({ media }: { media: Media }) {
  const formats = useFormats();
  return (
    <a
      href={media.url ?? ""}
      download={media.name}
      className="flex max-w-full items-center gap-2.5 rounded-xl bg-raised px-3 py-2 text-sm text-ink hover:bg-hover"
    >
      <FileText aria-hidden className="size-5 shrink-0 text-muted" />
      <span className="min-w-0 flex-1 truncate">{media.name}</span>
      {media.byte_count ? (
        <span className="figures text-xs text-faint">{formats.bytes(media.byte_count)}</span>
      ) : null}
      <Download aria-hidden className="size-4 shrink-0 text-faint" />
    </a>
  );
}
