import { CircleAlert, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

import { cn } from "@/lib/cn";

const LOOKS = {
  info: { icon: Info, className: "bg-info-soft text-info" },
  warn: { icon: TriangleAlert, className: "bg-warn-soft text-warn" },
  bad: { icon: CircleAlert, className: "bg-bad-soft text-bad" },
};

interface NoticeProps {
  tone: keyof typeof LOOKS;
  /** Read out at once: for what has just gone wrong. */
  isAlert?: boolean;
  className?: string;
  children: ReactNode;
}

export function Notice({ tone, isAlert, className, children }: NoticeProps) {
  const { icon: Icon, className: look } = LOOKS[tone];
  return (
    <div
      {...(isAlert ? { role: "alert" } : {})}
      className={cn("flex items-start gap-2 rounded-md px-3 py-2 text-sm", look, className)}
    >
      <Icon aria-hidden className="mt-0.5 size-4 shrink-0" />
      <div className="min-w-0 [overflow-wrap:anywhere]">{children}</div>
    </div>
  );
}
