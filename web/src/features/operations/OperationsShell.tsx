import { useQuery } from "@tanstack/react-query";
import { Link, Outlet } from "@tanstack/react-router";
import { LogOut } from "lucide-react";
import { Suspense } from "react";
import { useTranslation } from "react-i18next";

import { LANGUAGE_NAMES } from "@/components/shell/UserMenu";
import { Button } from "@/components/ui/button";
import { Failed, Loading } from "@/components/ui/states";
import { LANGUAGES, speak } from "@/i18n";

import { OperatorLogIn } from "./OperatorLogIn";
import { closeSession, operatorQuery } from "./session";

const TABS = [
  "tenants",
  "plans",
  "usage",
  "operators",
  "stays",
  "queues",
  "jobs",
  "lanes",
  "gates",
  "batches",
  "schedules",
  "audit",
] as const;

/** What stands around the operator's screens: tenants and their plans, and the queue of all of them. */
export function OperationsShell() {
  const { t } = useTranslation();
  const session = useQuery(operatorQuery);
  if (session.isPending) return <Loading />;
  if (session.isError) return <Failed error={session.error} retry={() => void session.refetch()} />;
  if (!session.data) return <OperatorLogIn />;
  return (
    <div className="flex h-dvh flex-col">
      <a
        href="#main"
        className="sr-only z-70 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        {t("nav.skip")}
      </a>
      <header className="flex shrink-0 flex-wrap items-center gap-x-6 gap-y-1 border-b border-line bg-surface px-4 pt-2 md:h-13 md:flex-nowrap md:pt-0">
        <div className="flex items-center gap-2.5">
          <img src="/favicon.svg" alt="Paloma" className="size-7" />
          <span className="text-base font-semibold">{t("operations.title")}</span>
        </div>
        <div className="ml-auto flex items-center gap-1 md:order-last">
          {session.data.person ? (
            <span className="hidden max-w-40 truncate px-2 text-sm text-muted sm:inline">
              {session.data.person.name}
            </span>
          ) : null}
          <Languages />
          <Button look="ghost" size="sm" onClick={() => void closeSession()}>
            <LogOut aria-hidden />
            <span className="sr-only sm:not-sr-only">{t("session.logOut")}</span>
          </Button>
        </div>
        <nav
          aria-label={t("nav.label")}
          className="-mx-4 flex w-[calc(100%+2rem)] gap-1 overflow-x-auto px-3 md:mx-0 md:h-full md:w-auto md:min-w-0 md:flex-1 md:items-stretch md:px-0"
        >
          {TABS.map((tab) => (
            <Link
              key={tab}
              to={`/operations/${tab}`}
              className="flex shrink-0 items-center border-b-2 border-transparent px-2 py-2 text-sm text-muted -outline-offset-2 hover:text-ink data-[status=active]:border-accent data-[status=active]:text-ink"
            >
              {t(`operations.tabs.${tab}`)}
            </Link>
          ))}
        </nav>
      </header>
      <main id="main" tabIndex={-1} className="min-h-0 flex-1 overflow-y-auto outline-none">
        <div className="mx-auto flex max-w-7xl flex-col gap-4 p-4 md:p-6">
          <Suspense fallback={<Loading />}>
            <Outlet />
          </Suspense>
        </div>
      </main>
    </div>
  );
}

function Languages() {
  const { t, i18n } = useTranslation();
  return (
    <div className="flex" role="group" aria-label={t("nav.language")}>
      {LANGUAGES.map((language) => (
        <Button
          key={language}
          look="ghost"
          size="sm"
          lang={language}
          aria-label={LANGUAGE_NAMES[language]}
          aria-pressed={i18n.language === language}
          className="px-1.5 uppercase aria-pressed:text-ink"
          onClick={() => void speak(language)}
        >
          {language}
        </Button>
      ))}
    </div>
  );
}
