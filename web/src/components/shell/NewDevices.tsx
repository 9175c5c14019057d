import { TriangleAlert } from "lucide-react";
import { useTranslation } from "react-i18next";

import { DeviceAnswers } from "@/components/device-answers";
import type { Schemas } from "@/lib/api/client";
import { browserOf } from "@/lib/browser";
import { useFormats } from "@/lib/format";

/** Browsers that were never used before and by which somebody has come in as whoever is logged in: seen on every screen until one says whose they are. */
export default function NewDevices({ devices }: { devices: Schemas["NewDevice"][] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  return (
    <section aria-label={t("security.newDevices")} className="shrink-0 bg-warn-soft text-sm text-warn">
      <ul className="max-h-40 divide-y divide-line overflow-y-auto">
        {devices.map((device) => {
          const browser = browserOf(device.user_agent ?? "") ?? t("security.unknownBrowser");
          return (
            <li key={device.session_id} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-1.5">
              <TriangleAlert aria-hidden className="size-4 shrink-0" />
              <p role="alert" className="min-w-0 flex-1 basis-56 [overflow-wrap:anywhere]">
                {t("security.deviceSays", {
                  from: [browser, device.ip].filter(Boolean).join(" · "),
                  when: formats.dateTime(device.created_at),
                })}{" "}
                {device.may_be_recognized ? null : t("security.deviceElsewhere")}
              </p>
              <DeviceAnswers
                sessionId={device.session_id}
                browser={browser}
                mayBeRecognized={device.may_be_recognized}
              />
            </li>
          );
        })}
      </ul>
    </section>
  );
}
