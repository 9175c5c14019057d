import { useTranslation } from "react-i18next";

import { Button } from "@/components/ui/button";
import { Notice } from "@/components/ui/notice";

import type { Conversation } from "../wire";

interface OptOutProps {
  conversation: Conversation;
  isDespite: boolean;
  onDespite: () => void;
}

/** Says that the other side wants no more messages. A person may write all the same, knowing it. */
export function OptOut({ conversation: { suppression }, isDespite, onDespite }: OptOutProps) {
  const { t } = useTranslation();
  if (!suppression) return null;
  const isBlocked = suppression === "blacklisted";
  return (
    <Notice tone={suppression === "opt_out_review" ? "warn" : "bad"} className="mb-1.5 items-center py-1.5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <p className="min-w-0 flex-1 basis-60">
          {t(isDespite ? "inbox.optOut.despite" : `inbox.optOut.${suppression as "opted_out"}`)}
        </p>
        {isBlocked || isDespite ? null : (
          <Button size="sm" onClick={onDespite}>
            {t("inbox.composer.anyway")}
          </Button>
        )}
      </div>
    </Notice>
  );
}
