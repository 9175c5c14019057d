import { ArrowLeft, ArrowRight } from "lucide-react";
import { useRef, useState } from "react";
import { flushSync } from "react-dom";
import { useTranslation } from "react-i18next";

import { Leaving } from "@/components/leaving";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { errorText } from "@/lib/api/error";

import { AudienceStep } from "./AudienceStep";
import { CheckStep } from "./CheckStep";
import { fieldOf, type Step, stepOf, STEPS } from "./faults";
import { EMPTY, type FieldName } from "./form";
import { MessageStep } from "./MessageStep";
import { Steps } from "./Steps";
import { TimingStep } from "./TimingStep";
import type { Draft } from "./useDraft";

export interface StepProps {
  draft: Draft;
  /** Whether what is missing is told before it has been touched. */
  isAsked: boolean;
  go: (step: Step) => void;
}

const FIELDS = Object.keys(EMPTY) as FieldName[];

/** To whom, what, when, and a last look. Nothing is sent before that. */
export function Wizard({ draft, step, onStep }: { draft: Draft; step: Step; onStep: (step: Step) => void }) {
  const { t } = useTranslation();
  const [asked, setAsked] = useState<ReadonlySet<Step>>(new Set(draft.campaign ? STEPS : []));
  const movedTo = useRef<Step>(null);
  const at = STEPS.indexOf(step);
  const isWrong = (of: Step, isAsked: boolean) =>
    FIELDS.some((field) => stepOf(field) === of && draft.errorAt(field, isAsked) !== undefined);
  const ask = (of: Step) => setAsked((before) => new Set([...before, of]));
  const go = (to: Step) => {
    movedTo.current = to;
    ask(step);
    draft.flush();
    onStep(to);
  };
  const next = () => {
    const to = STEPS[at + 1];
    if (to && !isWrong(step, true)) return go(to);
    flushSync(() => ask(step));
    const wrong = document.querySelector<HTMLElement>("main [aria-invalid=true]");
    (wrong?.querySelector<HTMLElement>("input:checked") ?? wrong)?.focus();
  };
  const { problem } = draft;
  const field = problem ? fieldOf(problem) : undefined;
  const props = { draft, isAsked: asked.has(step), go };
  return (
    <div className="flex flex-col gap-4">
      <Steps
        step={step}
        go={go}
        isWrong={(of) => isWrong(of, asked.has(of))}
        said={
          draft.isSaving
            ? t("campaigns.saving")
            : draft.isUnsaved
              ? t("campaigns.unsaved")
              : draft.campaign
                ? t("campaigns.saved")
                : ""
        }
      />
      {problem && (field === undefined || stepOf(field) !== step) && step !== "check" ? (
        <Notice tone="bad" isAlert>
          {errorText(problem, t)}{" "}
          {field === undefined ? (
            <Button size="sm" onClick={draft.retry}>
              {t("common.retry")}
            </Button>
          ) : (
            <Button size="sm" onClick={() => go(stepOf(field))}>
              {t("campaigns.goTo", { step: t(`campaigns.steps.${stepOf(field)}`) })}
            </Button>
          )}
        </Notice>
      ) : null}
      <h2
        key={step}
        tabIndex={-1}
        className="text-lg font-semibold outline-none"
        // whoever moves on by the keyboard is at the beginning of what is new
        ref={(heading) => {
          if (!heading || movedTo.current !== step) return;
          heading.focus();
          movedTo.current = null;
        }}
      >
        {t(`campaigns.stepTitles.${step}`)}
      </h2>
      {step === "audience" ? <AudienceStep {...props} /> : null}
      {step === "message" ? <MessageStep {...props} /> : null}
      {step === "timing" ? <TimingStep {...props} /> : null}
      {step === "check" ? <CheckStep {...props} /> : null}
      <div className="flex flex-wrap items-center gap-3">
        {at > 0 ? (
          <Button size="lg" onClick={() => go(STEPS[at - 1] ?? step)}>
            <ArrowLeft aria-hidden />
            {t("campaigns.previous")}
          </Button>
        ) : null}
        {at < STEPS.length - 1 ? (
          <>
            <Button size="lg" look="solid" onClick={next}>
              {t("campaigns.next")}
              <ArrowRight aria-hidden />
            </Button>
            <p className="text-sm text-muted">{t("campaigns.checkHint")}</p>
          </>
        ) : null}
      </div>
      <Leaving
        isUnsaved={draft.isUnsaved}
        isSaving={draft.isSaving}
        flush={draft.flush}
        discard={draft.discard}
        text={t("campaigns.leaveText")}
      />
    </div>
  );
}
