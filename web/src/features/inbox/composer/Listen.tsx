import { Pause, Play } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";

import { clock } from "./clock";

interface ListenProps {
  source: string;
  /** A file that was just recorded does not say it itself. */
  lengthMs: number | null;
  /** In place of how long it is. */
  children: ReactNode;
}

/** Hears what was recorded before it is sent. A browser's own player shows no length of what it has just recorded. */
export function Listen({ source, lengthMs, children }: ListenProps) {
  const { t } = useTranslation();
  const sound = useRef<HTMLAudioElement>(null);
  const [isOn, setOn] = useState(false);
  const [seconds, setSeconds] = useState<number | null>(null);
  const whole = lengthMs === null ? null : clock(lengthMs / 1000);
  return (
    <>
      <audio
        ref={sound}
        src={source}
        preload="auto"
        onPlay={() => setOn(true)}
        onPause={() => setOn(false)}
        onTimeUpdate={({ currentTarget }) => setSeconds(currentTarget.currentTime)}
        onEnded={() => setSeconds(null)}
      />
      <Button
        size="icon"
        className="size-10 rounded-full"
        aria-label={t(isOn ? "files.voice.pause" : "files.voice.listen")}
        title={t(isOn ? "files.voice.pause" : "files.voice.listen")}
        onClick={() => (isOn ? sound.current?.pause() : void sound.current?.play())}
      >
        {isOn ? <Pause aria-hidden /> : <Play aria-hidden />}
      </Button>
      <div className="min-w-0 flex-1">
        <p className="truncate text-sm">{t("files.voice.label")}</p>
        {children ?? (
          <p className="figures text-xs text-faint">
            {[seconds === null ? null : clock(seconds), whole].filter(Boolean).join(" / ")}
          </p>
        )}
      </div>
    </>
  );
}
