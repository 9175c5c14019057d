import type { LucideIcon } from "lucide-react";
import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { errorText } from "@/lib/api/error";
import { cn } from "@/lib/cn";

import { Button } from "./button";

interface EmptyProps {
  icon: LucideIcon;
  title: ReactNode;
  /** What to do next. */
  children?: ReactNode;
  action?: ReactNode;
  className?: string;
}

/** Nothing is here yet: says why and what to do next. */
export function Empty({ icon: Icon, title, children, action, className }: EmptyProps) {
  return (
    <div className={cn("flex flex-col items-center gap-2 px-6 py-14 text-center", className)}>
      <Icon aria-hidden className="size-6 text-faint" strokeWidth={1.5} />
      <p className="text-base font-semibold">{title}</p>
      {children ? <p className="max-w-sm text-sm text-muted">{children}</p> : null}
      {action ? <div className="mt-2">{action}</div> : null}
    </div>
  );
}

/** Something could not be read: says what to do, and offers to try again. */
export function Failed({
  error,
  retry,
  className,
}: {
  error: unknown;
  retry?: () => void;
  className?: string;
}) {
  const { t } = useTranslation();
  return (
    <div role="alert" className={cn("flex flex-col items-center gap-2 px-6 py-14 text-center", className)}>
      <CircleAlert aria-hidden className="size-6 text-bad" strokeWidth={1.5} />
      <p className="max-w-md text-base">{errorText(error, t)}</p>
      {retry ? (
        <Button className="mt-2" onClick={retry}>
          {t("common.retry")}
        </Button>
      ) : null}
    </div>
  );
}

/** Something is being read. Nothing turns and nothing glows. */
export function Loading({ className }: { className?: string }) {
  const { t } = useTranslation();
  return (
    <p role="status" className={cn("px-6 py-14 text-center text-sm text-faint", className)}>
      {t("common.loading")}
    </p>
  );
}
