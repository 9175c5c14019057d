import { type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { Loading } from "@/components/ui/states";
import { api } from "@/lib/api/client";
import { ApiError, errorText, problemText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";
import { useMay } from "@/lib/session";

import { AudienceTable } from "./AudienceTable";
import { AudienceWords } from "./AudienceWords";
import { fieldOf, type Step, stepOf } from "./faults";
import type { FieldName, Form } from "./form";
import { Launch } from "./Launch";
import { useLines } from "./lines";
import type { Campaign } from "./state";
import type { StepProps } from "./Wizard";
import { momentText, paceText, windowText } from "./words";

/** Everything in one list, each with the way back to where it was chosen; and whom it would reach if it went out now. */
export function CheckStep({ draft, go }: StepProps) {
  const { t } = useTranslation();
  const may = useMay();
  const { campaign, form, faults, problem } = draft;
  const wrong = (Object.keys(faults) as FieldName[]).filter((field) => faults[field] !== undefined);
  const told = problem ? fieldOf(problem) : undefined;
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_22rem]">
      <Chosen form={form} go={may("campaigns.edit") ? go : undefined} />
      <Panel title={t("campaigns.audience")}>
        {campaign?.launch_problem ? (
          <Notice tone="bad" className="mb-3">
            {t("campaigns.launchProblem", { why: problemText(campaign.launch_problem, t) })}
          </Notice>
        ) : null}
        {wrong.map((field) => (
          <Mend key={field} step={stepOf(field)} go={go}>
            {draft.errorAt(field, true)}
          </Mend>
        ))}
        {problem && (told === undefined || !wrong.includes(told)) ? (
          told ? (
            <Mend step={stepOf(told)} go={go}>
              {errorText(problem, t)}
            </Mend>
          ) : (
            <Notice tone="bad" isAlert className="mb-3">
              {errorText(problem, t)}{" "}
              {draft.isUnsaved ? (
                <Button size="sm" onClick={draft.retry}>
                  {t("common.retry")}
                </Button>
              ) : null}
            </Notice>
          )
        ) : null}
        {campaign ? <Reached campaign={campaign} draft={draft} isWrong={wrong.length > 0} go={go} /> : null}
      </Panel>
    </div>
  );
}

/** Something to be mended, and the way to it. */
function Mend({ step, go, children }: { step: Step; go: (step: Step) => void; children: ReactNode }) {
  const { t } = useTranslation();
  return (
    <Notice tone="bad" isAlert className="mb-3">
      <p>{children}</p>
      <Button size="sm" className="mt-1.5" onClick={() => go(step)}>
        {t("campaigns.goTo", { step: t(`campaigns.steps.${step}`) })}
      </Button>
    </Notice>
  );
}

interface ReachedProps extends Pick<StepProps, "draft" | "go"> {
  campaign: Campaign;
  isWrong: boolean;
}

function Reached({ campaign, draft, isWrong, go }: ReachedProps) {
  const { t } = useTranslation();
  const may = useMay();
  // counted anew whenever it is looked at, and once a change is saved: contacts come and go
  const { data, error, isFetching } = api.useQuery(
    "get",
    "/api/v1/campaigns/{id}/audience",
    { params: { path: { id: campaign.id } } },
    { staleTime: 0, enabled: !draft.isUnsaved, retry: false },
  );
  const at = (error as unknown) instanceof ApiError ? fieldOf(error as unknown as ApiError) : undefined;
  const why =
    isWrong || error || (draft.isUnsaved && !draft.isSaving)
      ? t("campaigns.mendFirst")
      : draft.isUnsaved
        ? t("campaigns.saving")
        : data?.eligible === 0
          ? t("campaigns.nobody")
          : data && !isFetching
            ? null
            : t("campaigns.counting");
  return (
    <>
      {error && !isFetching ? (
        at ? (
          <Mend step={stepOf(at)} go={go}>
            {errorText(error, t)}
          </Mend>
        ) : (
          <Notice tone="bad" isAlert>
            {errorText(error, t)}
          </Notice>
        )
      ) : data ? (
        <AudienceTable {...data} />
      ) : (
        <Loading className="py-6" />
      )}
      <div className="mt-4 flex flex-wrap items-center gap-3 border-t border-line pt-4">
        {may("campaigns.launch") ? (
          <Launch campaign={campaign} draft={draft} count={data?.eligible ?? 0} why={why} />
        ) : (
          <p className="text-sm text-muted">{t("campaigns.mayNotLaunch")}</p>
        )}
      </div>
    </>
  );
}

/** All that was chosen, by step. */
export function Chosen({ form, go }: { form: Form; go: ((step: Step) => void) | undefined }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { lines } = useLines();
  const line = lines?.find(({ id }) => id === form.line_id);
  const none = <span className="text-faint">–</span>;
  return (
    <div className="flex flex-col gap-4">
      <Group step="audience" go={go}>
        <Row name={t("campaigns.name")}>{form.name || none}</Row>
        <Row name={t("campaigns.line")}>{line ? `${line.name} (${line.address})` : none}</Row>
        <Row name={t("campaigns.audience")}>
          <AudienceWords chosen={form.audience} />
        </Row>
        <Row name={t("campaigns.onUnknown")}>
          {t(form.on_unknown === "hold" ? "campaigns.hold" : "campaigns.resendOnce")}
        </Row>
      </Group>
      <Group step="message" go={go}>
        <Row name={t("campaigns.text")}>
          <span className="whitespace-pre-wrap [overflow-wrap:anywhere]">{form.body || none}</span>
        </Row>
      </Group>
      <Group step="timing" go={go}>
        <Row name={t("campaigns.start")}>
          {form.start.isLater ? momentText(form.start.at, t, formats) || none : t("campaigns.startNow")}
        </Row>
        <Row name={t("campaigns.hours")}>{windowText(form.window, t, formats)}</Row>
        <Row name={t("campaigns.quiet")}>
          {t(form.quiet_hours ? "campaigns.quietOn" : "campaigns.quietOff")}
        </Row>
        <Row name={t("campaigns.pace")}>{paceText(form.pace, t, formats)}</Row>
        <Row name={t("campaigns.endsAt")}>
          {form.ends_at ? momentText(form.ends_at, t, formats) : t("campaigns.endsNever")}
        </Row>
      </Group>
    </div>
  );
}

interface GroupProps {
  step: Exclude<Step, "check">;
  go: ((step: Step) => void) | undefined;
  children: ReactNode;
}

function Group({ step, go, children }: GroupProps) {
  const { t } = useTranslation();
  const name = t(`campaigns.steps.${step}`);
  const change = go ? (
    <Button size="sm" aria-label={t("campaigns.changeStep", { step: name })} onClick={() => go(step)}>
      {t("campaigns.change")}
    </Button>
  ) : null;
  return (
    <Panel title={name} aside={change}>
      <dl className="grid gap-x-4 gap-y-0.5 text-sm sm:gap-y-2 sm:grid-cols-[11rem_minmax(0,1fr)]">
        {children}
      </dl>
    </Panel>
  );
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  const id = useId();
  return (
    <>
      <dt id={id} className="text-muted">
        {name}
      </dt>
      <dd aria-labelledby={id} className="min-w-0 pb-2 sm:pb-0">
        {children}
      </dd>
    </>
  );
}
