import { Link, useSearch } from "@tanstack/react-router";
import { RefreshCw } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { PAGES } from "@/lib/api/pages";
import { queryClient } from "@/lib/api/query";
import { cn } from "@/lib/cn";
import { useShortcuts } from "@/lib/keyboard/useShortcuts";
import { useMay } from "@/lib/session";

import { Batches } from "./Batches";
import { Gates } from "./Gates";
import { JobList } from "./JobList";
import { Lanes } from "./Lanes";

const JOB_TABS = ["jobs", "lanes", "gates", "batches"] as const;
const TABLES = { jobs: JobList, lanes: Lanes, gates: Gates, batches: Batches };

/** The tenant's own work in the queue: what waits, what runs, and why something does not. */
export function JobsPage() {
  const { t } = useTranslation();
  const may = useMay();
  const search = useSearch({ from: "/app/jobs" });
  const tab = JOB_TABS.find((name) => name === search.tab) ?? "jobs";
  const tabs = JOB_TABS.filter((name) => name !== "batches" || may("conversations.view"));
  const Table = TABLES[tab];
  const again = () => {
    void queryClient.invalidateQueries({ queryKey: [PAGES, tab] });
    void queryClient.invalidateQueries({ queryKey: ["get", "/api/v1/jobs/{id}/why"] });
  };
  useShortcuts([{ keys: ".", label: t("jobs.refresh"), group: t("nav.jobs"), run: again }], tab);
  const refresh = (
    <Button onClick={again}>
      <RefreshCw aria-hidden />
      {t("jobs.refresh")}
    </Button>
  );
  return (
    <Page title={t("nav.jobs")} actions={refresh} isFilled>
      <nav
        aria-label={t("jobs.tabs")}
        className="flex shrink-0 gap-1 overflow-x-auto border-b border-line px-3 md:px-5"
      >
        {tabs.map((name) => (
          <Link
            key={name}
            to="/jobs"
            search={name === "jobs" ? {} : { tab: name }}
            aria-current={name === tab ? "page" : undefined}
            className={cn(
              "-mb-px border-b-2 border-transparent px-2 py-2 text-sm whitespace-nowrap text-muted -outline-offset-2 hover:text-ink",
              name === tab && "border-accent-ink text-ink",
            )}
          >
            {t(`jobs.tab.${name}`)}
          </Link>
        ))}
      </nav>
      <Table />
    </Page>
  );
}
