import { useBlocker } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import { Confirm } from "@/components/ui/confirm";

interface LeavingProps {
  isUnsaved: boolean;
  /** It is being saved, so nobody has to be asked yet. */
  isSaving: boolean;
  /** Saves what can be saved on the way out. */
  flush?: () => void;
  discard: () => void;
  /** Why something would be lost. */
  text: string;
}

/** Asks before what nobody has taken is lost; what can be saved on the way out is saved without a word. */
export function Leaving({ isUnsaved, isSaving, flush, discard, text }: LeavingProps) {
  const { t } = useTranslation();
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => {
      // whoever has to log in again comes back to it
      if (!isUnsaved || next.pathname === current.pathname || next.pathname === "/login") return false;
      flush?.();
      return true;
    },
    enableBeforeUnload: () => isUnsaved,
    withResolver: true,
  });
  const isBlocked = blocker.status === "blocked";
  const { proceed, reset } = blocker;
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
