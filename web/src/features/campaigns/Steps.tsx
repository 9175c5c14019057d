import { useTranslation } from "react-i18next";

import { cn } from "@/lib/cn";
import { useFormats } from "@/lib/format";

import { type Step, STEPS } from "./faults";

interface StepsProps {
  step: Step;
  go: (step: Step) => void;
  /** Whether something in it has to be mended. */
  isWrong: (step: Step) => boolean;
  /** What became of what was written. */
  said: string;
}

/** Where one is, and the way to any other step. */
export function Steps({ step, go, isWrong, said }: StepsProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  return (
    <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
      <nav aria-label={t("campaigns.stepsLabel")} className="min-w-0">
        <ol className="flex flex-wrap gap-1.5">
          {STEPS.map((name, index) => (
            <li key={name}>
              <button
                type="button"
                aria-current={name === step ? "step" : undefined}
                onClick={() => go(name)}
                className={cn(
                  "flex h-8 items-center gap-1.5 rounded-md border px-2.5 text-sm font-medium",
                  name === step
                    ? "border-accent bg-selected text-ink"
                    : "border-line bg-raised text-muted hover:bg-hover",
                )}
              >
                <span className="figures">{formats.number(index + 1)}</span>
                {t(`campaigns.steps.${name}`)}
                {isWrong(name) ? (
                  <span className="text-bad">
                    <span aria-hidden>!</span>
                    <span className="sr-only">{t("campaigns.toMend")}</span>
                  </span>
                ) : null}
              </button>
            </li>
          ))}
        </ol>
      </nav>
      <p role="status" className="text-sm text-muted">
        {said}
      </p>
    </div>
  );
}
