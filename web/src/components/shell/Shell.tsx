import { Outlet, useMatches, useNavigate } from "@tanstack/react-router";
import { Lock } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { Empty, Loading } from "@/components/ui/states";
import { addCodes, withTexts } from "@/i18n";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useLiveFeed } from "@/lib/live";
import { useIsProofAsked } from "@/lib/proof";
import { useMay } from "@/lib/session";

import { AREAS } from "./areas";
import { Connection } from "./Connection";
import { BottomBar, Rail } from "./Navigation";
import { useSignOut } from "./useSignOut";

// the first screen does not wait for what is asked for later
const Help = lazy(() => import("./Help").then(({ Help }) => ({ default: Help })));
const Proof = lazy(() =>
  withTexts(import("./Proof"), "security", "providers").then(({ Proof }) => ({ default: Proof })),
);
const Notices = lazy(() => import("./Notices"));
const Palette = lazy(() => import("./Palette").then(({ Palette }) => ({ default: Palette })));

/** What stands around every screen of somebody logged in. */
export function Shell() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const may = useMay();
  const [open, setOpen] = useState<"help" | "palette" | null>(null);
  const isProofAsked = useIsProofAsked();
  useEffect(() => void addCodes(), []);
  const { forget } = useSignOut();
  useLiveFeed(forget);
  const areas = AREAS.filter((area) => may(area.needs));
  useShortcuts([
    ...areas.map(({ keys, to, id }) => ({
      keys,
      label: t(`nav.${id}`),
      group: t("keys.go"),
      run: () => void navigate({ to }),
    })),
    { keys: "?", label: t("keys.help"), group: t("keys.general"), run: () => setOpen("help") },
    {
      keys: "Mod+k",
      label: t("keys.palette"),
      group: t("keys.general"),
      inFields: true,
      run: () => setOpen((now) => (now === "palette" ? null : "palette")),
    },
  ]);
  const close = () => setOpen(null);
  return (
    <div className="flex h-dvh flex-col md:flex-row">
      <a
        href="#main"
        className="sr-only z-70 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        {t("nav.skip")}
      </a>
      <Rail areas={areas} onPalette={() => setOpen("palette")} onHelp={() => setOpen("help")} />
      <main id="main" tabIndex={-1} className="flex min-h-0 min-w-0 flex-1 flex-col outline-none">
        <Connection />
        <Suspense fallback={null}>
          <Notices />
        </Suspense>
        <div className="min-h-0 flex-1">
          <Allowed>
            <Suspense fallback={<Loading />}>
              <Outlet />
            </Suspense>
          </Allowed>
        </div>
      </main>
      <BottomBar areas={areas} />
      <Suspense fallback={null}>
        {open === "help" ? <Help isOpen onClose={close} /> : null}
        {open === "palette" ? <Palette isOpen onClose={close} areas={areas} /> : null}
        {isProofAsked ? <Proof /> : null}
      </Suspense>
    </div>
  );
}

/** The screen, or the word that whoever is logged in may not see it. The server decides by itself. */
function Allowed({ children }: { children: React.ReactNode }) {
  const { t } = useTranslation();
  const may = useMay();
  const needs = useMatches({ select: (matches) => matches.map((match) => match.staticData.needs) });
  if (needs.some((permission) => permission && !may(permission))) {
    return (
      <Empty icon={Lock} title={t("states.forbidden")}>
        {t("states.forbiddenNext")}
      </Empty>
    );
  }
  return children;
}
