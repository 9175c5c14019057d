/** Records what somebody says. It is stopped, kept or thrown away; nothing of it leaves the browser here. */

/** Nobody listens to more, and it is far from the longest file that is taken in. */
export const LONGEST_MS = 15 * 60_000;

/** What browsers record and the server takes; Safari knows the last one alone. */
const TYPES = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/ogg;codecs=opus", "ogg"],
  ["audio/mp4", "m4a"],
] as const;

export type Problem = "refused" | "noMicrophone" | "busy" | "unable";

interface Listener {
  onStart: () => void;
  onFail: (problem: Problem) => void;
  /** There is a recording, as it was stopped here or by its length. */
  onEnd: (file: File, lengthMs: number) => void;
}

export interface Recording {
  /** Of one that has not begun nothing is kept. */
  stop: () => void;
  discard: () => void;
}

/** Asks for the microphone and records until it is stopped. */
export function record({ onStart, onFail, onEnd }: Listener): Recording {
  let isWanted = true;
  let stop: (() => void) | undefined;
  const begin = async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const free = () => stream.getTracks().forEach((track) => track.stop());
    if (!isWanted) return free();
    const [type, end] = TYPES.find(([one]) => MediaRecorder.isTypeSupported(one)) ?? TYPES[2];
    const recorder = new MediaRecorder(stream, { mimeType: type });
    const startedAt = performance.now();
    const longest = setTimeout(() => recorder.stop(), LONGEST_MS);
    recorder.addEventListener("dataavailable", ({ data }) => {
      clearTimeout(longest);
      free();
      const lengthMs = Math.min(performance.now() - startedAt, LONGEST_MS);
      if (isWanted) onEnd(new File([data], `voice.${end}`, { type: data.type }), lengthMs);
    });
    // also where the microphone is pulled out: what was said until then is kept
    stop = () => recorder.state !== "inactive" && recorder.stop();
    recorder.start();
    onStart();
  };
  begin().catch((error: unknown) => isWanted && onFail(problemOf(error)));
  return {
    stop: () => {
      if (stop) stop();
      else isWanted = false;
    },
    discard: () => {
      isWanted = false;
      stop?.();
    },
  };
}

function problemOf(error: unknown): Problem {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "refused";
  if (name === "NotFoundError") return "noMicrophone";
  // another program has it, or it is broken
  return name === "NotReadableError" || name === "AbortError" ? "busy" : "unable";
}
