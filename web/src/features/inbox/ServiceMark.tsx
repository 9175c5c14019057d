import { useTranslation } from "react-i18next";

import { cn } from "@/lib/cn";

import type { Service } from "./wire";
import { serviceName } from "./words";

const DOTS: Record<Service, string> = {
  imessage: "bg-imessage-dot",
  sms: "bg-sms-dot",
  rcs: "bg-rcs-dot",
  unknown: "bg-faint",
};

/** What carried a message, by colour and in words. */
export function ServiceMark({ service }: { service: Service }) {
  const { t } = useTranslation();
  return (
    <span className="flex shrink-0 items-center gap-1">
      <span aria-hidden className={cn("size-2 rounded-full", DOTS[service])} />
      {serviceName(service, t)}
    </span>
  );
}
