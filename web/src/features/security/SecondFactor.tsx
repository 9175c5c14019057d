import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Dialog } from "@/components/ui/dialog";
import { Notice } from "@/components/ui/notice";
import { Panel } from "@/components/ui/panel";
import { Loading } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { api, client } from "@/lib/api/client";
import { ApiError, errorText } from "@/lib/api/error";
import { useFormats } from "@/lib/format";

import { RecoveryCodes } from "./RecoveryCodes";
import { SetUp } from "./SetUp";
import { FACTOR, readAgain } from "./wire";

type Open = "setUp" | "turnOff" | "newCodes";

/** How it stands, and the ways to turn it on and off. */
export function SecondFactor() {
  const { t } = useTranslation();
  const formats = useFormats();
  const [open, setOpen] = useState<Open | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const { data, error } = api.useQuery("get", FACTOR);
  const onError = (error: Error) => toast("bad", errorText(error, t));
  const turnOff = useMutation({
    mutationFn: () => client.DELETE(FACTOR),
    onSuccess: () => {
      toast("ok", t("security.turnedOff"));
      return readAgain();
    },
    onError,
  });
  const renew = useMutation({
    mutationFn: async () => {
      const { data } = await client.POST("/api/v1/second-factor/recovery-codes");
      if (!data) throw ApiError.unreachable();
      return data.codes;
    },
    onSuccess: (codes) => {
      setCodes(codes);
      return readAgain();
    },
    onError,
  });
  const close = () => setOpen(null);
  return (
    <Panel title={t("security.factor")}>
      <p className="text-sm text-muted">{t("security.factorSays")}</p>
      {error ? (
        <Notice tone="bad" isAlert className="mt-3">
          {errorText(error, t)}
        </Notice>
      ) : !data ? (
        <Loading />
      ) : data.is_on ? (
        <>
          <p className="mt-3 text-base text-ok" role="status">
            {t("security.on", { when: formats.dateTime(data.confirmed_at ?? "") })}
          </p>
          <p className="mt-1 text-sm text-muted">
            {t("security.codesLeft", { count: data.recovery_codes_left })}
          </p>
          <div className="mt-3 flex flex-wrap gap-2">
            <Button onClick={() => setOpen("newCodes")}>{t("security.newCodes")}</Button>
            <Button
              aria-disabled={data.is_required}
              title={data.is_required ? t("security.required") : undefined}
              onClick={() => !data.is_required && setOpen("turnOff")}
            >
              {t("security.turnOff")}
            </Button>
          </div>
          {data.is_required ? <p className="mt-2 text-sm text-faint">{t("security.required")}</p> : null}
        </>
      ) : (
        <div className="mt-3 flex items-center gap-3">
          <span className="text-base" role="status">
            {t("security.off")}
          </span>
          <Button look="solid" onClick={() => setOpen("setUp")}>
            {t("security.setUp")}
          </Button>
        </div>
      )}
      {open === "setUp" ? (
        <Dialog open onOpenChange={close} title={t("security.setUp")} description={t("security.scan")}>
          <SetUp
            onDone={(codes) => {
              close();
              setCodes(codes);
              void readAgain();
            }}
          />
        </Dialog>
      ) : null}
      {codes ? (
        <Dialog
          open
          onOpenChange={() => setCodes(null)}
          title={t("security.codes")}
          description={t("security.codesSays")}
        >
          <RecoveryCodes codes={codes} onKept={() => setCodes(null)} />
        </Dialog>
      ) : null}
      <Confirm
        open={open === "turnOff" || open === "newCodes"}
        onOpenChange={close}
        title={t(open === "turnOff" ? "security.turnOffAsk" : "security.newCodesAsk")}
        act={t(open === "turnOff" ? "security.turnOff" : "security.newCodes")}
        isDangerous
        onConfirm={() => (open === "turnOff" ? turnOff.mutate() : renew.mutate())}
      >
        {t(open === "turnOff" ? "security.turnOffSays" : "security.newCodesSays")}
      </Confirm>
    </Panel>
  );
}
