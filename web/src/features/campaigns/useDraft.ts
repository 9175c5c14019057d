import { useMutation } from "@tanstack/react-query";
import { useEffect, useEffectEvent, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { api, client, onceKey } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { useMe } from "@/lib/session";

import { faultsOf, fieldOf } from "./faults";
import { changeOf, type FieldName, type Form, formOf, newOf } from "./form";
import type { Campaign } from "./state";

/** What is written is taken to the server once somebody has stopped for so long. */
const QUIET_MS = 600;

type Edits = Partial<Form>;

/** What the server has not taken yet, for as long as this tab is there: a reload loses nothing. */
const kept = {
  read(key: string): Edits {
    try {
      return JSON.parse(sessionStorage.getItem(key) ?? "{}") as Edits;
    } catch {
      return {};
    }
  },
  write(key: string, edits: Edits): void {
    if (Object.keys(edits).length === 0) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(edits));
  },
};

const isSame = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

function without(edits: Edits, gone: (field: FieldName) => boolean | undefined): Edits {
  return Object.fromEntries(Object.entries(edits).filter(([field]) => !gone(field as FieldName)));
}

interface DraftOptions {
  campaign: Campaign | undefined;
  /** What a form begins with where there is no draft yet. */
  beginning: Form;
  onMade: (campaign: Campaign) => void;
}

export type Draft = ReturnType<typeof useDraft>;

/** A draft on the server, and what is written over it: kept there by itself as soon as it can be. */
export function useDraft({ campaign: told, beginning, onMade }: DraftOptions) {
  const { t } = useTranslation();
  const { user } = useMe();
  const [made, setMade] = useState<Campaign>();
  const campaign = told ?? made;
  const place = `paloma.campaign.${user.id}.${campaign?.id ?? "new"}`;
  const [edits, setEdits] = useState<Edits>(() => kept.read(place));
  const [problem, setProblem] = useState<ApiError | null>(null);
  const [tried, setTried] = useState("");
  const key = useRef({ of: "", key: "" });
  const base = useMemo(() => (campaign ? formOf(campaign) : beginning), [campaign, beginning]);
  const form = { ...base, ...edits };
  const faults = faultsOf(form, edits);
  // a space at the end, or another unit of no number, is nothing to be saved
  const said = (field: FieldName, of: Edits) => changeOf({ [field]: of[field] });
  const unsaved = without(edits, (field) => isSame(said(field, edits), said(field, base)));
  const ready = without(unsaved, (field) => faults[field] !== undefined);

  const save = useMutation({
    mutationFn: (fields: Edits) => {
      const begun = { ...beginning, ...(edits.on_unknown ? { on_unknown: edits.on_unknown } : {}) };
      const put = (sent: Edits) => (campaign ? change(campaign.id, sent) : make({ ...begun, ...sent }, key));
      return put(fields).catch((error: unknown) => {
        const refused = error instanceof ApiError ? fieldOf(error) : undefined;
        const rest = without(fields, (field) => field === refused);
        // one field that is refused does not keep the others waiting
        const isBare = !campaign && (!rest.name || !rest.body);
        if (!refused || isBare || Object.keys(rest).length === 0 || isSame(rest, fields)) throw error;
        return put(rest).then(({ saved }) => ({ saved, sent: rest, error: error as ApiError }));
      });
    },
    onSuccess: ({ saved, sent, error }) => {
      const { queryKey } = api.queryOptions("get", "/api/v1/campaigns/{id}", {
        params: { path: { id: saved.id } },
      });
      queryClient.setQueryData(queryKey, saved);
      void queryClient.invalidateQueries({ queryKey: [PAGES, "campaigns"] });
      setProblem(error ?? null);
      setTried("");
      // what is written is not touched while somebody writes on
      const taken = formOf(saved);
      setEdits((now) =>
        without(now, (field) => isSame(now[field], sent[field]) && isSame(now[field], taken[field])),
      );
      setMade(saved);
      if (!campaign) {
        kept.write(place, {});
        onMade(saved);
      }
    },
    onError: (error) => setProblem(error instanceof ApiError ? error : ApiError.unreachable()),
  });

  const canMake = Boolean(form.name.trim() && form.line_id && form.body.trim());
  const signature = JSON.stringify(ready);
  const hasReady = Object.keys(ready).length > 0;
  const isDue = hasReady && (campaign !== undefined || canMake) && signature !== tried && !save.isPending;
  const flush = () => {
    if (!isDue) return;
    setTried(signature);
    save.mutate(ready);
  };
  const saveLater = useEffectEvent(flush);
  useEffect(() => {
    if (!isDue) return;
    const timer = setTimeout(() => saveLater(), QUIET_MS);
    return () => clearTimeout(timer);
  }, [isDue, signature]);
  useEffect(() => kept.write(place, edits), [place, edits]);

  return {
    campaign,
    form,
    edits,
    faults,
    problem,
    /** Something is written that the server has not taken. */
    isUnsaved: Object.keys(unsaved).length > 0,
    isSaving: save.isPending || isDue,
    change: (fields: Edits) => {
      if (problem && Object.keys(fields).some((field) => field === fieldOf(problem))) setProblem(null);
      setEdits((now) => ({ ...now, ...fields }));
    },
    /** An error that a launch met, which may belong to a field. */
    report: (error: ApiError | null) => setProblem(error),
    /** Saves what can be saved, without waiting for somebody to stop. */
    flush,
    retry: () => setTried(""),
    discard: () => {
      kept.write(place, {});
      setEdits({});
    },
    /** What is wrong with a field, in words; `isAsked`: also where nobody has touched it yet. */
    errorAt: (field: FieldName, isAsked = false): string | undefined => {
      if (problem && fieldOf(problem) === field) return errorText(problem, t);
      const fault = faults[field];
      return fault && (isAsked || edits[field] !== undefined) ? t(`campaigns.faults.${fault}`) : undefined;
    },
  };
}

interface Saved {
  saved: Campaign;
  sent: Edits;
  error?: ApiError;
}

async function change(id: string, fields: Edits): Promise<Saved> {
  const { data } = await client.PATCH("/api/v1/campaigns/{id}", {
    params: { path: { id } },
    body: changeOf(fields),
  });
  if (!data) throw ApiError.unreachable();
  return { saved: data, sent: fields };
}

/** The same campaign asked for again, because no answer came, is made once. */
async function make(form: Form, key: { current: { of: string; key: string } }): Promise<Saved> {
  const body = newOf(form);
  const of = JSON.stringify(body);
  if (key.current.of !== of) key.current = { of, key: onceKey() };
  const headers = { "Idempotency-Key": key.current.key };
  const { data } = await client.POST("/api/v1/campaigns", { body, headers }).catch((error: unknown) => {
    if (!(error instanceof ApiError && error.isTransient)) key.current = { of: "", key: "" };
    throw error;
  });
  if (!data) throw ApiError.unreachable();
  return { saved: data, sent: form };
}
