import { Ban, Check, CheckCheck, CircleAlert, CircleHelp, Clock, Inbox, type LucideIcon } from "lucide-react";
import { useTranslation } from "react-i18next";

import { cn } from "@/lib/cn";
import { useFormats } from "@/lib/format";

import type { Status } from "../words";

const MARKS: Record<Status, [LucideIcon, string]> = {
  queued: [Clock, ""],
  sending: [Clock, ""],
  sent: [Check, ""],
  delivered: [CheckCheck, ""],
  read: [CheckCheck, "text-info"],
  unknown: [CircleHelp, "text-warn"],
  failed: [CircleAlert, "text-bad"],
  cancelled: [Ban, "text-warn"],
  received: [Inbox, ""],
};

/** Where a message stands, by icon and in words. */
export function StatusMark({ status, at }: { status: Status; at?: string | undefined }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const [Icon, look] = MARKS[status];
  return (
    <span
      data-status={status}
      title={at ? formats.dateTime(at) : undefined}
      className={cn("flex items-center gap-1", look)}
    >
      <span aria-hidden className="text-faint">
        ·
      </span>
      <Icon aria-hidden className="size-3.5" />
      {t(`inbox.status.${status}`)}
    </span>
  );
}
