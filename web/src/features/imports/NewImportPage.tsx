import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { ChevronLeft, FileUp, FlaskConical } from "lucide-react";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { Leaving } from "@/components/leaving";
import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";
import { Progress } from "@/components/ui/progress";
import { Loading } from "@/components/ui/states";
import { client, onceKey } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { upload } from "@/lib/api/upload";
import { useFormats } from "@/lib/format";
import { useMe } from "@/lib/session";

import { FilePicker } from "./FilePicker";
import { type Asked, type Preview, usePreview } from "./held";
import { Mapping } from "./Mapping";
import { Reading } from "./Reading";
import { Trial } from "./Trial";

/** A file is handed over and held; it is looked at, tried as often as one likes, and only then imported. */
export function NewImportPage() {
  const { t } = useTranslation();
  const navigate = useNavigate({ from: "/imports/new" });
  const { held } = useSearch({ from: "/app/imports/new" });
  const looking = usePreview(held);
  const { preview, error, forget } = looking;
  const sending = useUpload((id) => {
    drop(held);
    forget();
    void navigate({ search: { held: id }, replace: true });
  });
  return (
    <Page title={t("nav.newImport")} back={<Back />}>
      <div className="flex max-w-5xl flex-col gap-4">
        <FilePicker
          file={preview ? { name: preview.file_name, size: preview.byte_count } : null}
          onChoose={(file) => sending.mutate(file)}
          isDisabled={sending.isPending}
        />
        <Sending sending={sending} />
        <Leaving
          isUnsaved={sending.isPending}
          isSaving={false}
          discard={sending.callOff}
          text={t("imports.leaveUpload")}
        />
        {error ? (
          <Notice tone="bad" isAlert>
            {errorText(error, t)}
          </Notice>
        ) : null}
        {held && preview ? (
          <Looked id={held} preview={preview} looking={looking} />
        ) : held && !error ? (
          <Loading />
        ) : null}
      </div>
    </Page>
  );
}

/** One that nobody will start is given back; one that is not given back, the server sweeps away. */
function drop(id: string | undefined): void {
  if (id) void client.DELETE("/api/v1/imports/{id}", { params: { path: { id } } }).catch(() => undefined);
}

function useUpload(onHeld: (id: string) => void) {
  const [share, setShare] = useState(0);
  const abort = useRef<AbortController | null>(null);
  const send = useMutation({
    mutationFn: (file: File) => {
      abort.current = new AbortController();
      return upload<Preview>({
        path: "/api/v1/imports",
        query: { hold: "true", file_name: file.name },
        file,
        key: onceKey(),
        signal: abort.current.signal,
        onProgress: setShare,
        type: "text/csv",
      });
    },
    onSuccess: ({ id }) => onHeld(id),
    onSettled: () => setShare(0),
  });
  return {
    mutate: send.mutate,
    isPending: send.isPending,
    share,
    // what somebody called off is no error
    error: send.error?.name === "AbortError" ? null : send.error,
    callOff: () => abort.current?.abort(),
  };
}

function Sending({ sending }: { sending: ReturnType<typeof useUpload> }) {
  const { t } = useTranslation();
  const formats = useFormats();
  if (sending.error) {
    return (
      <Notice tone="bad" isAlert>
        {errorText(sending.error, t)}
      </Notice>
    );
  }
  if (!sending.isPending) return null;
  return (
    <div className="flex items-center gap-3">
      <Progress
        className="flex-1"
        label={t("imports.uploading")}
        parts={[{ className: "bg-accent-hover", value: sending.share }]}
        total={1}
      />
      <span className="w-14 text-right text-sm figures">{formats.percent(sending.share)}</span>
      <Button size="sm" onClick={sending.callOff}>
        {t("common.cancel")}
      </Button>
    </div>
  );
}

interface LookedProps {
  id: string;
  preview: Preview;
  looking: ReturnType<typeof usePreview>;
}

function Looked({ id, preview, looking: { options, change, reread, isStale } }: LookedProps) {
  const { t, i18n } = useTranslation();
  const { tenant } = useMe();
  const navigate = useNavigate();
  const params = { path: { id } };
  const body = options as Asked;
  const about = JSON.stringify(options);
  const [tried, setTried] = useState("");
  const attempt = useMutation({
    mutationFn: async () => {
      const language = i18n.language as "es" | "en";
      const init = { params: { ...params, query: { language } }, body };
      const { data } = await client.POST("/api/v1/imports/{id}/dry-run", init);
      if (!data) throw ApiError.unreachable();
      return data;
    },
    onMutate: () => setTried(about),
  });
  const start = useMutation({
    mutationFn: () => client.POST("/api/v1/imports/{id}/start", { params, body }),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: [PAGES, "imports"] });
      return navigate({ to: "/imports/$importId", params: { importId: id } });
    },
  });
  // a trial of other options says nothing of these
  const trial = tried === about ? attempt : null;
  const isBusy = attempt.isPending || start.isPending;
  const problem = preview.problem ? new ApiError({ status: 422, code: preview.problem }) : null;
  const why = problem ? errorText(problem, t) : null;
  const failure = start.error ?? trial?.error;
  return (
    <>
      <Reading
        preview={preview}
        options={options}
        region={tenant.region}
        onChange={change}
        onReread={reread}
      />
      <Mapping
        preview={preview}
        asked={options.mapping ?? {}}
        onChange={(mapping) => change({ ...options, mapping })}
      />
      {why ? <Notice tone="warn">{why}</Notice> : null}
      {trial?.data ? <Trial trial={trial.data} /> : null}
      {failure ? (
        <Notice tone="bad" isAlert>
          {errorText(failure, t)}
        </Notice>
      ) : null}
      <div className="flex flex-wrap items-center gap-3">
        <Button
          size="lg"
          look={trial?.data ? "plain" : "solid"}
          disabled={isStale || isBusy || why !== null}
          onClick={() => attempt.mutate()}
        >
          <FlaskConical aria-hidden />
          {t("imports.try")}
        </Button>
        <Button
          size="lg"
          look={trial?.data ? "solid" : "plain"}
          disabled={isStale || isBusy || why !== null}
          onClick={() => start.mutate()}
        >
          <FileUp aria-hidden />
          {t("imports.start")}
        </Button>
        <p role="status" className="text-sm text-muted">
          {attempt.isPending ? t("imports.trying") : why ? null : t("imports.tryHint")}
        </p>
      </div>
    </>
  );
}

export function Back() {
  const { t } = useTranslation();
  return (
    <Button asChild look="ghost" size="iconSm" aria-label={t("imports.back")}>
      <Link to="/imports">
        <ChevronLeft aria-hidden />
      </Link>
    </Button>
  );
}
