import { useBlocker } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import { Confirm } from "@/components/ui/confirm";

interface LeavingOneProps {
  isUnsaved: boolean;
  /** It is being saved, so nobody has to be asked yet. */
  isSaving: boolean;
  discard: () => void;
  /** Why something would be lost. */
  text: string;
}

const openIn = (search: object) => ("organization" in search ? search.organization : undefined);

/** Asks before another organization or the list of them is opened: their path is the same, and `Leaving` takes that for the same screen. */
export function LeavingOne({ isUnsaved, isSaving, discard, text }: LeavingOneProps) {
  const { t } = useTranslation();
  const { status, proceed, reset } = useBlocker({
    shouldBlockFn: ({ current, next }) =>
      isUnsaved && next.pathname === current.pathname && openIn(next.search) !== openIn(current.search),
    // `Leaving` sees to that
    enableBeforeUnload: false,
    withResolver: true,
  });
  const isBlocked = status === "blocked";
  useEffect(() => {
    if (isBlocked && !isUnsaved) proceed?.();
  }, [isBlocked, isUnsaved, proceed]);
  return (
    <Confirm
      open={isBlocked && isUnsaved && !isSaving}
      onOpenChange={(open) => {
        if (!open) reset?.();
      }}
      title={t("common.leaveTitle")}
      act={t("common.leave")}
      isDangerous
      onConfirm={() => {
        discard();
        proceed?.();
      }}
    >
      {text}
    </Confirm>
  );
}
