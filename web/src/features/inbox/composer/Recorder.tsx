import { Check, CircleAlert, Mic, RotateCcw, X } from "lucide-react";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";

import { attachVoice, hasRoom } from "./attach";
import { clock } from "./clock";
import { LONGEST_MS, type Problem, record, type Recording } from "./voice";

const TICK_MS = 250;
const MOST_TIME = clock(LONGEST_MS / 1000);

interface RecorderProps {
  id: string;
  /** It is with the draft's files, or thrown away. */
  onEnd: () => void;
}

/** Records from when it is shown. What was recorded is kept with the draft, also where somebody goes elsewhere meanwhile. */
export default function Recorder({ id, onEnd }: RecorderProps) {
  const { t } = useTranslation();
  const [tried, setTried] = useState(0);
  const [problem, setProblem] = useState<Problem | "full" | null>(() => (hasRoom(id) ? null : "full"));
  const [startedAt, setStartedAt] = useState<number | null>(null);
  const recording = useRef<Recording | null>(null);
  const seconds = useSeconds(startedAt);
  const onKept = useEffectEvent(onEnd);
  const onLongest = useEffectEvent(() =>
    toast("bad", t("files.voice.longest", { most: LONGEST_MS / 60_000 })),
  );
  const begin = useEffectEvent(() =>
    problem
      ? null
      : record({
          onStart: () => setStartedAt(performance.now()),
          onFail: setProblem,
          onEnd: (file, lengthMs) => {
            attachVoice(id, file, lengthMs);
            if (lengthMs >= LONGEST_MS) onLongest();
            onKept();
          },
        }),
  );
  useEffect(() => {
    const one = begin();
    recording.current = one;
    return () => one?.stop();
  }, [id, tried]);
  const discard = () => {
    recording.current?.discard();
    onEnd();
  };
  useShortcuts([
    {
      keys: "Escape",
      label: t("files.voice.discard"),
      group: t("nav.inbox"),
      run: discard,
      inFields: true,
    },
  ]);
  if (problem) {
    return (
      <div
        role="alert"
        className="mb-1.5 flex flex-wrap items-center gap-2 rounded-md border border-line bg-raised py-1.5 pr-1.5 pl-2.5 text-sm"
      >
        <CircleAlert aria-hidden className="size-4 shrink-0 text-bad" />
        <p className="w-[calc(100%-2rem)] sm:w-auto sm:flex-1">{t(`files.voice.problems.${problem}`)}</p>
        <Button
          size="sm"
          onClick={() => {
            setProblem(hasRoom(id) ? null : "full");
            setTried(tried + 1);
          }}
        >
          <RotateCcw aria-hidden />
          {t("common.retry")}
        </Button>
        <Button size="sm" look="ghost" onClick={discard}>
          {t("common.close")}
        </Button>
      </div>
    );
  }
  return (
    <div
      role="group"
      aria-label={t("files.voice.label")}
      className="mb-1.5 flex flex-wrap items-center gap-2 rounded-md border border-line bg-raised py-1.5 pr-1.5 pl-2.5 text-sm"
    >
      <Mic aria-hidden className={startedAt === null ? "size-4 text-faint" : "size-4 text-bad"} />
      <p role="status" className={startedAt === null ? "flex-1" : ""}>
        {t(startedAt === null ? "files.voice.asking" : "files.voice.recording")}
      </p>
      {startedAt === null ? null : (
        <span role="timer" aria-label={t("files.voice.time")} className="figures flex-1 text-muted">
          {t("files.voice.timeOf", { time: clock(seconds), most: MOST_TIME })}
        </span>
      )}
      <Button size="sm" look="ghost" onClick={discard}>
        <X aria-hidden />
        {t(startedAt === null ? "common.cancel" : "files.voice.discard")}
      </Button>
      {startedAt === null ? null : (
        <Button size="sm" autoFocus onClick={() => recording.current?.stop()}>
          <Check aria-hidden />
          {t("files.voice.stop")}
        </Button>
      )}
    </div>
  );
}

/** Whole seconds since then. */
function useSeconds(startedAt: number | null): number {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    if (startedAt === null) return;
    const timer = setInterval(() => setSeconds(Math.floor((performance.now() - startedAt) / 1000)), TICK_MS);
    return () => clearInterval(timer);
  }, [startedAt]);
  return seconds;
}
